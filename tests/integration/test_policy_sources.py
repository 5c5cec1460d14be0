"""Policies from a real directory and a real store, into one set."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlplane.model.document import Document, ObjectKey
from controlplane.sources import stored
from controlplane.sources.admin import AdminSource, Outcome
from controlplane.sources.collector import Collector
from controlplane.sources.desired import Desired
from controlplane.sources.directory import DirectorySource
from controlplane.sources.source import Source
from registry.config import SqliteLocation, StoreOptions
from registry.sqlite import open_sqlite
from tests.support.builders import SCHEMA, policy
from tests.support.clock import FakeClock

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TEXT = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: {name}, namespace: shop}}
spec: {{targetRefs: [{{kind: Service, name: cart}}], timeouts: {{request: {request}}}}}
"""


def write(path: Path, name: str = "cart", request: str = "1s") -> None:
    path.write_text(TEXT.format(name=name, request=request), encoding="utf-8")


@asynccontextmanager
async def collecting(*sources: Source) -> AsyncIterator[Collector]:
    collector = Collector(sources)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(collector.run())
        yield collector
        task.cancel()


async def until(collector: Collector, revision: int) -> Desired:
    async with asyncio.timeout(5):
        async for desired in collector.watch():
            if desired.revision >= revision:
                return desired
    raise AssertionError("watching ended")


async def settled_problems(collector: Collector, source: str) -> list[str]:
    async with asyncio.timeout(5):
        async for desired in collector.watch():
            if desired.problems_of(source):
                return [problem.message for problem in desired.problems_of(source)]
    raise AssertionError("watching ended")


def admin(store: object) -> AdminSource:
    return AdminSource(store, SCHEMA, lambda: NOW)  # type: ignore[arg-type]  # opened as the protocol says


def memory() -> SqliteLocation:
    return SqliteLocation(path=None)


async def test_an_edited_file_is_seen_within_a_moment(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml")
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        assert len((await until(collector, 1)).documents) == 1
        started = time.monotonic()
        write(tmp_path / "cart.yaml", request="2s")
        await until(collector, 2)
        assert time.monotonic() - started < 0.5  # 70 ms where nothing else runs


async def test_files_that_come_go_and_are_renamed_are_followed(tmp_path: Path) -> None:
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, 0)
        write(tmp_path / ".hidden.yaml", name="hidden")
        (tmp_path / "notes.txt").write_text("not a policy", encoding="utf-8")
        write(tmp_path / "new.tmp", name="fresh")
        (tmp_path / "new.tmp").rename(tmp_path / "new.yaml")
        assert {key.name for key in (await until(collector, 1)).documents} == {"fresh"}
        (tmp_path / "new.yaml").unlink()
        assert (await until(collector, 2)).documents == {}


async def test_a_bad_edit_keeps_the_last_good_documents(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml")
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, 1)
        (tmp_path / "cart.yaml").write_bytes(b"\xff")
        assert await settled_problems(collector, str(tmp_path)) == ["expected UTF-8, found the byte 0xff"]
        assert collector.desired is not None
        assert len(collector.desired.documents) == 1


async def test_a_directory_that_goes_away_takes_nothing_along(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    write(folder / "cart.yaml")
    async with collecting(DirectorySource(folder, SCHEMA)) as collector:
        await until(collector, 1)
        folder.rename(tmp_path / "elsewhere")
        assert await settled_problems(collector, str(folder)) == ["cannot be read: No such file or directory"]
        assert collector.desired is not None
        assert len(collector.desired.documents) == 1
        (tmp_path / "elsewhere").rename(folder)
        write(folder / "cart.yaml", request="2s")
        desired = await until(collector, 2)
        assert desired.problems_of(str(folder)) == ()


async def test_applied_documents_are_in_force_once_reached() -> None:
    async with open_sqlite(memory(), clock=FakeClock(), options=StoreOptions()) as store:
        source = admin(store)
        async with collecting(source) as collector:
            applied = await source.apply([policy("timeouts: {}"), policy("retry: {}", name="other")])
            assert [outcome for _, outcome in applied.outcomes] == [Outcome.CREATED, Outcome.CREATED]
            desired = await collector.reached("admin", applied.position)
            assert {key.name for key in desired.documents} == {"cart", "other"}


async def test_history_is_kept_with_the_document() -> None:
    async with open_sqlite(memory(), clock=FakeClock(), options=StoreOptions()) as store:
        source = admin(store)
        async with collecting(source) as collector:
            first, second = policy("timeouts: {}"), policy("retry: {}")
            outcomes = [(await source.apply([each])).outcomes[0][1] for each in (first, first, second)]
            assert outcomes == [Outcome.CREATED, Outcome.UNCHANGED, Outcome.CONFIGURED]
            position = (await source.apply([second])).position
            document = (await collector.reached("admin", position)).documents[first.key]
            assert (document.generation, document.created_at) == (2, NOW)
            assert document.file == "admin"


async def test_a_deleted_document_is_gone_and_cannot_be_deleted_again() -> None:
    async with open_sqlite(memory(), clock=FakeClock(), options=StoreOptions()) as store:
        source = admin(store)
        async with collecting(source) as collector:
            document = policy("timeouts: {}")
            await source.apply([document])
            position = await source.delete(document.key)
            assert position is not None
            assert (await collector.reached("admin", position)).documents == {}
            assert await source.delete(document.key) is None


async def test_applied_documents_outlive_the_program(tmp_path: Path) -> None:
    location = SqliteLocation(path=tmp_path / "registry.db")
    document = policy("timeouts: {}")
    for revision in (1, 1):
        async with open_sqlite(location, clock=FakeClock(), options=StoreOptions()) as store:
            source = admin(store)
            await source.apply([document])
            async with collecting(source) as collector:
                assert document.key in (await until(collector, revision)).documents


async def test_nothing_is_in_force_before_every_source_was_read(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml", name="cart")
    async with open_sqlite(memory(), clock=FakeClock(), options=StoreOptions()) as store:
        source = admin(store)
        await source.apply([policy("timeouts: {}", name="kept")])
        async with collecting(source, DirectorySource(tmp_path, SCHEMA)) as collector:
            seen = [desired async for desired in first(collector)]
            assert {key.name for key in seen[0].documents} == {"cart", "kept"}


async def first(collector: Collector) -> AsyncIterator[Desired]:
    async for desired in collector.watch():
        yield desired
        return


def stored_document(document: Document) -> bytes:
    return stored.encode(replace(document, generation=3, created_at=NOW), SCHEMA)


def test_a_stored_document_is_read_again_with_its_history() -> None:
    document = policy("retry: {when: ['503']}")
    [again] = stored.decode("key", stored_document(document), SCHEMA).documents
    assert again == replace(document, generation=3, created_at=NOW)


def test_the_key_of_an_object_without_a_namespace_has_a_place_for_it() -> None:
    assert stored.key_of(ObjectKey("Mesh", "", "default")) == "/breakwater/policies/Mesh/-/default"
    assert stored.key_of(ObjectKey("A", "b", "c")) == "/breakwater/policies/A/b/c"


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b'{"generation": "x"}'])
def test_bytes_that_are_not_ours_are_a_problem(value: bytes) -> None:
    parsed = stored.decode("/breakwater/policies/A/b/c", value, SCHEMA)
    assert not parsed.is_valid
    assert parsed.problems[0].message.startswith("cannot be read")


def test_a_document_of_a_newer_release_is_a_problem() -> None:
    value = stored_document(policy("retry: {attempts: 1}")).replace(b"attempts", b"novelty")
    parsed = stored.decode("key", value, SCHEMA)
    assert [problem.path for problem in parsed.problems] == ["spec.retry.novelty"]
