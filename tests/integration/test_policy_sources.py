"""Policies from a real directory and a real store, into one set."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.model.document import Document, ObjectKey
from controlplane.model.text import document_text
from controlplane.model.value import find
from controlplane.sources import directory, stored
from controlplane.sources.admin import AdminSource
from controlplane.sources.collector import Collector
from controlplane.sources.desired import Desired
from controlplane.sources.directory import DirectorySource
from controlplane.sources.source import Source
from controlplane.sources.writer import Outcome
from registry.config import SqliteLocation, StoreOptions
from registry.mirror import mirroring
from registry.sqlite import open_sqlite
from tests.support import readiness
from tests.support.builders import SCHEMA, policy
from tests.support.clock import FakeClock
from tests.support.replica import MEMORY, NOW, keeping, replica

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
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(collector.run())
        yield collector
        task.cancel()


async def until(collector: Collector, holds: Callable[[Desired], bool]) -> Desired:
    async with asyncio.timeout(30):
        async for desired in collector.watch():
            if holds(desired):
                return desired
    raise AssertionError("watching ended")


def has(*names: str) -> Callable[[Desired], bool]:
    return lambda desired: {key.name for key in desired.documents} == set(names)


def asks(request: str) -> Callable[[Desired], bool]:
    return lambda desired: any(
        str(find(document.spec, "timeouts.request")) == request for document in desired.documents.values()
    )


async def settled_problems(collector: Collector, source: str) -> list[str]:
    desired = await until(collector, lambda desired: bool(desired.problems_of(source)))
    return [problem.message for problem in desired.problems_of(source)]


async def test_an_edited_file_is_seen(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml")
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, asks("1s"))
        write(tmp_path / "cart.yaml", request="2s")
        await until(collector, asks("2s"))


async def test_files_that_come_go_and_are_renamed_are_followed(tmp_path: Path) -> None:
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, has())
        write(tmp_path / ".hidden.yaml", name="hidden")
        (tmp_path / "notes.txt").write_text("not a policy", encoding="utf-8")
        write(tmp_path / "new.tmp", name="fresh")
        (tmp_path / "new.tmp").rename(tmp_path / "new.yaml")
        await until(collector, has("fresh"))
        (tmp_path / "new.yaml").unlink()
        await until(collector, has())


async def test_a_bad_edit_keeps_the_last_good_documents(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml")
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, has("cart"))
        (tmp_path / "cart.yaml").write_bytes(b"\xff")
        assert await settled_problems(collector, str(tmp_path)) == ["expected UTF-8, found the byte 0xff"]
        assert collector.desired is not None
        assert len(collector.desired.documents) == 1


async def test_a_directory_that_goes_away_takes_nothing_along(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    write(folder / "cart.yaml")
    async with collecting(DirectorySource(folder, SCHEMA)) as collector:
        await until(collector, has("cart"))
        folder.rename(tmp_path / "elsewhere")
        assert await settled_problems(collector, str(folder)) == ["cannot be read: No such file or directory"]
        assert collector.desired is not None
        assert len(collector.desired.documents) == 1
        (tmp_path / "elsewhere").rename(folder)
        write(folder / "cart.yaml", request="2s")
        desired = await until(collector, asks("2s"))
        assert desired.problems_of(str(folder)) == ()


async def test_a_file_that_is_gone_once_its_directory_is_back_takes_its_documents_along(
    tmp_path: Path,
) -> None:
    folder, elsewhere = tmp_path / "policies", tmp_path / "elsewhere"
    folder.mkdir()
    write(folder / "cart.yaml")
    write(folder / "other.yaml", name="other")
    async with collecting(DirectorySource(folder, SCHEMA)) as collector:
        await until(collector, has("cart", "other"))
        folder.rename(elsewhere)
        await settled_problems(collector, str(folder))
        (elsewhere / "other.yaml").unlink()
        elsewhere.rename(folder)
        desired = await until(collector, has("cart"))
        assert desired.problems_of(str(folder)) == ()


async def test_an_edit_that_keeps_the_size_and_the_time_of_its_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "cart.yaml"
    write(path)
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, asks("1s"))
        before = path.stat()
        write(path, request="2s")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        await until(collector, asks("2s"))


async def test_a_file_that_is_emptied_to_be_written_keeps_its_documents_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count_looks(monkeypatch)
    monkeypatch.setattr(directory, "EMPTIED_SECONDS", 3600)
    path = tmp_path / "cart.yaml"
    write(path)
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, has("cart"))
        path.write_text("")
        enough = len(looks) + 10
        await readiness.until(readiness.that(lambda: len(looks) > enough))
        assert collector.desired is not None
        assert len(collector.desired.documents) == 1
        write(path, request="2s")
        await until(collector, asks("2s"))


async def test_a_file_that_stays_empty_has_no_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "EMPTIED_SECONDS", 0)
    write(tmp_path / "cart.yaml")
    async with collecting(DirectorySource(tmp_path, SCHEMA)) as collector:
        await until(collector, has("cart"))
        (tmp_path / "cart.yaml").write_text("")
        await until(collector, has())


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return what grows by one with every look at a directory."""
    looks: list[None] = []
    look = directory._scan

    def counted(path: Path, known: Any) -> Any:
        looks.append(None)
        return look(path, known)

    monkeypatch.setattr(directory, "_scan", counted)
    return looks


async def test_applied_documents_are_in_force_once_reached() -> None:
    async with keeping(MEMORY) as kept:
        applied = await kept.apply(policy("timeouts: {}"), policy("retry: {}", name="other"))
        assert [outcome for _, outcome in applied.outcomes] == [Outcome.CREATED, Outcome.CREATED]
        desired = (await kept.revisions.reached("admin", applied.position)).desired
        assert {key.name for key in desired.documents} == {"cart", "other"}


async def test_generations_are_counted_and_the_age_stays() -> None:
    async with keeping(MEMORY) as kept:
        first, second = policy("timeouts: {}"), policy("retry: {}")
        outcomes = [(await kept.apply(each)).outcomes[0][1] for each in (first, first, second)]
        assert outcomes == [Outcome.CREATED, Outcome.UNCHANGED, Outcome.CONFIGURED]
        position = (await kept.apply(second)).position
        document = (await kept.revisions.reached("admin", position)).documents[first.key]
        assert (document.generation, document.created_at) == (2, NOW)
        assert document.file == "admin"


async def test_a_deleted_document_is_gone_and_cannot_be_deleted_again() -> None:
    async with keeping(MEMORY) as kept:
        document = policy("timeouts: {}")
        await kept.apply(document)
        deleted = await kept.delete(document.key)
        assert deleted.outcomes == ((document.key, Outcome.DELETED),)
        assert (await kept.revisions.reached("admin", deleted.position)).documents == {}
        assert (await kept.delete(document.key)).outcomes == ((document.key, Outcome.UNCHANGED),)


async def test_applied_documents_outlive_the_program(tmp_path: Path) -> None:
    location = SqliteLocation(path=tmp_path / "registry.db")
    document = policy("timeouts: {}")
    for _ in range(2):
        async with keeping(location) as kept:
            position = (await kept.apply(document)).position
            newest = await kept.revisions.reached("admin", position)
            assert (newest.revision, list(newest.documents)) == (1, [document.key])


async def test_nothing_is_in_force_before_every_source_was_read(tmp_path: Path) -> None:
    write(tmp_path / "cart.yaml", name="cart")
    async with open_sqlite(MEMORY, clock=FakeClock(), options=StoreOptions()) as store:
        async with replica(store) as kept:
            await kept.apply(policy("timeouts: {}", name="kept"))
        async with (
            mirroring(store, stored.PREFIX) as mirror,
            collecting(AdminSource(mirror, SCHEMA), DirectorySource(tmp_path, SCHEMA)) as collector,
        ):
            seen = [desired async for desired in first(collector)]
            assert {key.name for key in seen[0].documents} == {"cart", "kept"}


async def first(collector: Collector) -> AsyncIterator[Desired]:
    async for desired in collector.watch():
        yield desired
        return


def stored_document(document: Document) -> bytes:
    return stored.encode(replace(document, generation=3, created_at=NOW), document_text(document, SCHEMA))


def test_a_stored_document_is_read_again_with_its_age() -> None:
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
