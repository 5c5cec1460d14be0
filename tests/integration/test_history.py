"""Revisions and their history, over one store and several replicas."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from controlplane.errors import PartlyKeptError
from controlplane.history import ledger
from controlplane.history.keys import PREFIX, RECORDS, REVISION_KEY, piece_key
from controlplane.history.record import Origin
from controlplane.sources.directory import DirectorySource
from controlplane.sources.writer import Outcome
from registry.config import SqliteLocation, StoreOptions, parse_location
from registry.errors import StoreUnavailableError
from registry.opening import open_store
from registry.sqlite import open_sqlite
from registry.store import ABSENT, Store
from tests.support.builders import SCHEMA, policy
from tests.support.clock import FakeClock
from tests.support.etcd import one_member
from tests.support.flaky_store import FlakyStore
from tests.support.readiness import Condition, that, until
from tests.support.replica import MEMORY, Replica, keeping, replica

TEXT = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: {name}, namespace: shop}}
spec: {{targetRefs: [{{kind: Service, name: cart}}], timeouts: {{request: {request}}}}}
"""
EDITS = 60


def write(folder: Path, name: str, request: str = "1s") -> None:
    draft = folder / f"{name}.draft"
    draft.write_text(TEXT.format(name=name, request=request), encoding="utf-8")
    draft.replace(folder / f"{name}.yaml")


@asynccontextmanager
async def opened(location: SqliteLocation = MEMORY) -> AsyncIterator[Store]:
    async with open_sqlite(location, clock=FakeClock(), options=StoreOptions()) as store:
        yield store


@asynccontextmanager
async def three_ways(kind: str, scratch: Path) -> AsyncIterator[list[Store]]:
    """Three ways to one store, as three control planes have."""
    async with AsyncExitStack() as stack:
        if kind == "sqlite":
            yield [await stack.enter_async_context(opened())] * 3
        else:
            member = await stack.enter_async_context(one_member(scratch))
            location = parse_location(member.location)
            yield [await stack.enter_async_context(open_store(location)) for _ in range(3)]


@asynccontextmanager
async def replicas(store: Store | list[Store], *folders: Path) -> AsyncIterator[list[Replica]]:
    """One replica for each folder of policies, on the same store or on a way of its own."""
    stores = store if isinstance(store, list) else [store] * len(folders)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(replica(way, DirectorySource(folder, SCHEMA)))
            for way, folder in zip(stores, folders, strict=True)
        ]


def agree(running: list[Replica]) -> Callable[[], bool]:
    """Return the condition that all have the same set in force at the newest revision of the history."""

    def holds() -> bool:
        newest = [one.revisions.newest for one in running]
        histories = [one.journal.ledger for one in running]
        return (
            all(one.is_recorded for one in newest)
            and len({one.revision for one in newest} | {one.revision for one in histories}) == 1
            and len({one.numbering.fingerprint for one in newest}) == 1
            and {one.policies.fingerprint for one in histories} == {newest[0].numbering.fingerprint}
        )

    return holds


def has_revision(one: Replica, revision: int) -> Condition:
    return that(lambda: one.revisions.newest.revision == revision)


def names(one: Replica) -> set[str]:
    return {key.name for key in one.revisions.newest.documents}


async def test_applied_documents_and_their_record_are_one_transaction() -> None:
    async with opened() as store, replica(store) as one:
        applied = await one.apply(policy("timeouts: {}"), policy("retry: {}", name="other"), author="ada")
        listing = await store.list("")
        assert {entry.revision for entry in listing.entries} == {applied.position}
        await one.at(1)
        [summary] = one.journal.ledger.summaries.values()
        assert (summary.revision, summary.cause.origin, summary.cause.author) == (1, Origin.ADMIN, "ada")
        assert summary.counts == {"created": 2}
        [record] = one.journal.records([1])
        assert [change.key.name for change in record.changes] == ["cart", "other"]
        assert all(change.after and change.after.source == "admin" for change in record.changes)


async def test_what_changes_nothing_is_no_revision() -> None:
    async with keeping(MEMORY) as one:
        for _ in range(2):
            await one.apply(policy("timeouts: {}"))
        assert one.journal.ledger.revision == 1


async def test_each_object_keeps_the_revision_that_it_came_with() -> None:
    async with keeping(MEMORY) as one:
        first, second = policy("timeouts: {}"), policy("retry: {}", name="other")
        await one.apply(first)
        await one.apply(second)
        await one.at(2)
        assert [one.revisions.revision_of(each.key) for each in (first, second)] == [1, 2]


async def test_edits_of_files_are_recorded_with_their_file(tmp_path: Path) -> None:
    write(tmp_path, "cart")
    async with opened() as store, replicas(store, tmp_path) as [one]:
        await one.at(1)
        write(tmp_path, "cart", "2s")
        await one.at(2)
        [record] = one.journal.records([2])
        [change] = record.changes
        assert record.cause.origin is Origin.FILE
        assert change.before is not None
        assert change.after is not None
        assert ("request: 1s" in change.before.text, "request: 2s" in change.after.text) == (True, True)
        assert change.after.source == str(tmp_path / "cart.yaml")


async def test_revision_survives_a_restart_and_counts_what_changed_meanwhile(tmp_path: Path) -> None:
    location = SqliteLocation(path=tmp_path / "registry.db")
    folder = tmp_path / "policies"
    folder.mkdir()
    write(folder, "cart")
    for expected in (1, 1):
        async with opened(location) as store, replicas(store, folder) as [one]:
            await one.at(expected)
    (folder / "cart.yaml").unlink()
    async with opened(location) as store, replicas(store, folder) as [one]:
        await one.at(2)
        [record] = one.journal.records([2])
        [change] = record.changes
        assert change.before is not None
        assert "request: 1s" in change.before.text
        assert change.after is None


async def test_replicas_that_read_the_same_files_record_an_edit_once(tmp_path: Path) -> None:
    async with opened() as store, replicas(store, tmp_path, tmp_path) as both:
        for edit in range(1, 4):
            write(tmp_path, "cart", f"{edit}s")
            await asyncio.gather(*(one.at(edit) for one in both))
        assert list(both[0].journal.ledger.summaries) == [1, 2, 3]


async def test_replicas_with_other_files_do_not_answer_each_other_without_end(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder, request in ((ours, "1s"), (theirs, "2s")):
        folder.mkdir()
        write(folder, "cart", request)
    async with opened() as store, replicas(store, ours, theirs) as both:
        await until(that(lambda: both[0].journal.ledger.revision == 2))
        await until(that(lambda: sorted(one.revisions.newest.revision for one in both) == [1, 2]))
        older, newer = (("1s", ours), ("2s", theirs))[:: 1 if both[0].revisions.newest.revision == 1 else -1]
        write(older[1], "cart", newer[0])
        await until(that(agree(both)))
        assert both[0].journal.ledger.revision == 2


@pytest.mark.parametrize("kind", ["sqlite", "etcd"])
async def test_replicas_agree_after_edits_from_all_sides(tmp_path: Path, kind: str) -> None:
    chance = random.Random(7)  # noqa: S311  # picks edits
    async with (
        three_ways(kind, tmp_path / "store") as ways,
        replicas(ways, tmp_path, tmp_path, tmp_path) as running,
    ):
        seen: list[list[int]] = [[] for _ in running]
        following = [asyncio.create_task(follow(*each)) for each in zip(running, seen, strict=True)]

        async def edit(number: int) -> None:
            name, request = f"p{chance.randrange(6)}", f"{number + 1}s"
            if chance.random() < 0.3:
                write(tmp_path, f"file-{name}", request)
            elif chance.random() < 0.2:
                await chance.choice(running).delete(policy("", name=name).key)
            else:
                document = policy(f"timeouts: {{request: {request}}}", name=name)
                await chance.choice(running).apply(document)

        for start in range(0, EDITS, 4):
            await asyncio.gather(*map(edit, range(start, start + 4)))
        await until(that(agree(running)), timeout_seconds=20)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        assert all(revisions == sorted(revisions) for revisions in seen)
        async with replica(ways[0], DirectorySource(tmp_path, SCHEMA)) as late:
            await until(that(agree([*running, late])))


async def follow(one: Replica, seen: list[int]) -> None:
    async for newest in one.revisions.watch():
        seen += [newest.revision]


async def test_edit_goes_on_while_the_store_is_away_and_is_recorded_after(tmp_path: Path) -> None:
    async with opened() as store:
        flaky = FlakyStore(store)
        async with replicas(flaky, tmp_path) as [one]:
            write(tmp_path, "cart")
            await one.at(1)
            flaky.lose()
            for request, revision in (("2s", 2), ("3s", 3)):
                write(tmp_path, "cart", request)
                await until(has_revision(one, revision))
            assert not one.revisions.newest.is_recorded
            with pytest.raises(StoreUnavailableError):
                await one.apply(policy("retry: {}", name="other"))
            flaky.regain()
            await one.at(3)
            assert list(one.journal.ledger.summaries) == [1, 3]
            await one.apply(policy("retry: {}", name="other"))
            await one.at(4)
            assert names(one) == {"cart", "other"}


async def test_many_documents_are_kept_in_chunks_of_one_revision_each() -> None:
    documents = [
        policy(f"timeouts: {{request: {1 + number % 9}s}}", name=f"p{number}") for number in range(200)
    ]
    async with keeping(MEMORY) as one:
        applied = await one.apply(*documents)
        assert [outcome for _, outcome in applied.outcomes] == [Outcome.CREATED] * 200
        newest = await one.at(3)
        assert len(newest.documents) == 200
        counts = [dict(summary.counts) for summary in one.journal.ledger.summaries.values()]
        assert counts == [{"created": 80}, {"created": 80}, {"created": 40}]


async def test_store_that_goes_away_between_two_chunks_is_told_with_what_is_kept() -> None:
    documents = [policy("timeouts: {}", name=f"p{number}") for number in range(100)]
    async with opened() as store:
        flaky = FlakyStore(store)
        async with replica(flaky) as one:
            applying = asyncio.create_task(one.apply(*documents))
            await one.journal.reached(1)
            flaky.lose()
            with pytest.raises(PartlyKeptError, match="kept 80 of 100 objects"):
                await applying
            flaky.regain()
            again = await one.apply(*documents)
            outcomes = [outcome for _, outcome in again.outcomes]
            assert outcomes == [Outcome.UNCHANGED] * 80 + [Outcome.CREATED] * 20


async def test_documents_of_many_bytes_are_kept_in_smaller_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.sources.writer.CHUNK_BYTES", 2000)
    documents = [policy("timeouts: {}", name=f"p{number}") for number in range(20)]
    async with keeping(MEMORY) as one:
        applied = await one.apply(*documents)
        assert [key.name for key, _ in applied.outcomes] == [document.key.name for document in documents]
        assert one.journal.ledger.revision > 1


async def test_old_records_go_and_the_set_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RECORDS_MAX", 8)
    monkeypatch.setattr(ledger, "CHECKPOINT_RECORDS", 4)
    async with opened() as store:
        async with replica(store) as one:
            await one.apply(policy("retry: {}", name="first"))
            for edit in range(1, 30):
                await one.apply(policy(f"timeouts: {{request: {edit}s}}"))
                await until(that(lambda: not ledger.is_checkpoint_due(one.journal.ledger)))
            assert len(one.journal.ledger.summaries) == 8
        assert len((await store.list(RECORDS)).entries) == 8
        async with replica(store) as again:
            newest = await again.at(30)
            assert names(again) == {"first", "cart"}
            assert again.journal.ledger.policies.fingerprint == newest.numbering.fingerprint


async def test_number_of_which_only_a_part_was_written_is_passed_over() -> None:
    async with opened() as store, replica(store) as one:
        await store.put(piece_key(RECORDS, 1, 1), b"half", expect=ABSENT)
        await until(that(lambda: bool(one.journal.ledger.loose)))
        await one.apply(policy("timeouts: {}"))
        await one.at(2)


async def test_record_of_many_pieces_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.history.codec.PIECE_BYTES", 50)
    async with opened() as store:
        async with replica(store) as one:
            await one.apply(policy("timeouts: {request: 1s}"))
        assert len((await store.list(RECORDS)).entries) > 2
        async with replica(store) as one:
            await one.at(1)
            assert names(one) == {"cart"}


async def test_newest_revision_is_readable_by_itself() -> None:
    async with opened() as store, replica(store) as one:
        await one.apply(policy("timeouts: {}"))
        assert (await store.get(REVISION_KEY)).value == b"1"


async def test_what_another_program_did_to_the_store_is_recorded_too() -> None:
    async with opened() as store, replica(store) as one:
        await one.apply(policy("timeouts: {}"))
        [entry] = (await store.list("/breakwater/policies/")).entries
        await store.delete(entry.key)
        await one.at(2)
        [record] = one.journal.records([2])
        assert record.cause.origin is Origin.ADMIN
        assert [change.after for change in record.changes] == [None]


async def test_store_that_went_back_is_followed_and_no_number_comes_twice(tmp_path: Path) -> None:
    location, backup = (SqliteLocation(path=tmp_path / name) for name in ("registry.db", "backup.db"))
    async with opened(location) as store, replica(store) as one:
        await one.apply(policy("retry: {}", name="kept"))
        await one.at(1)
        await copy(store, backup)
        for edit in range(1, 4):
            await one.apply(policy(f"timeouts: {{request: {edit}s}}"))
        await one.at(4)
        lived = one.revisions.newest
        async with opened(backup) as older, replica(older) as other:
            await other.at(1)
            await other.revisions.saw(lived.revision)
            assert names(other) == {"kept"}
            await other.at(5)
            await other.apply(policy("timeouts: {}"))
            await other.at(6)
            assert list(other.journal.ledger.summaries) == [1, 5, 6]


async def copy(store: Store, to: SqliteLocation) -> None:
    """Copy all entries, as a backup would."""
    async with opened(to) as other:
        for entry in (await store.list("")).entries:
            await other.put(entry.key, entry.value)


async def test_history_that_was_deleted_by_hand_keeps_its_count() -> None:
    async with opened() as store, replica(store) as one:
        for edit in range(1, 4):
            await one.apply(policy(f"timeouts: {{request: {edit}s}}"))
        for entry in (await store.list(PREFIX)).entries:
            await store.delete(entry.key)
        await until(that(lambda: one.journal.ledger.summaries == {}))
        await one.apply(policy("retry: {}", name="other"))
        await one.at(4)
        async with replica(store) as again:
            await again.at(4)
            assert names(again) == {"cart", "other"}


async def test_store_that_went_back_is_followed_though_it_is_hard_to_reach() -> None:
    async with opened() as store, opened() as older:
        flaky = FlakyStore(store)
        async with replica(flaky) as one:
            await one.apply(policy("timeouts: {}"))
            await one.apply(policy("retry: {}"))
            await older.put(REVISION_KEY, b"0")
            flaky.become(older)
            flaky.fail_gets(2)
            flaky.lose()
            flaky.regain()
            await one.at(3)
            assert names(one) == set()
            assert list(one.journal.ledger.summaries) == [3]


async def test_a_replica_that_is_late_takes_no_number_for_one_of_a_store_that_went_back() -> None:
    async with opened() as store, replica(store) as one:
        await one.apply(policy("timeouts: {}"))
        await one.at(1)
        await store.put(REVISION_KEY, b"7")
        await one.revisions.saw(7)
        assert one.revisions.newest.revision == 1
        await one.revisions.saw(8)
        assert one.revisions.newest.revision == 9


async def test_numbers_that_sidecars_tell_of_do_not_use_up_the_history() -> None:
    async with opened() as store, replica(store) as one:
        await one.apply(policy("timeouts: {}"))
        await one.at(1)
        for seen in (7, 20, 30):
            await one.revisions.saw(seen)
            await one.at(seen + 1)
        assert list(one.journal.ledger.summaries) == [1, 31]
        await one.apply(policy("retry: {}"))
        await one.at(32)
        await one.revisions.saw(40)
        await one.at(41)
        async with replica(store) as again:
            await again.at(41)
            assert list(again.journal.ledger.summaries) == [1, 31, 32, 41]


async def test_what_is_not_ours_is_passed_over() -> None:
    async with opened() as store:
        for key in (f"{PREFIX}notes", f"{RECORDS}latest", f"{RECORDS}7/1"):
            await store.put(key, b"x")
        await store.put(REVISION_KEY, b"none")
        async with replica(store) as one:
            await one.apply(policy("timeouts: {}"))
            await store.put(f"{RECORDS}{8:019d}/000", b"rubbish")
            await until(that(lambda: bool(one.journal.ledger.unreadable)))
            await one.apply(policy("retry: {}"))
            await one.at(9)
