"""What every store must do; each test runs over each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from registry.errors import CompactedError, KeyNotFoundError, LeaseNotFoundError, RevisionMismatchError
from registry.model import LeaseId, Revision
from registry.store import (
    ABSENT,
    TRANSACTION_MAX,
    Batch,
    Change,
    Check,
    Delete,
    Entry,
    Listing,
    Put,
    Remove,
    Store,
    Write,
)
from tests.support.etcd import Member
from tests.support.stores import EMBEDDED, HISTORY_REVISIONS, KINDS, Opener, StoreKind, Time, only

DEADLINE_SECONDS = 30
UNKNOWN = LeaseId(4711)


@pytest.fixture
def forget(etcd_of_kind: Member | None) -> Callable[[Revision], Awaitable[None]]:
    """Cuts the history to what an embedded store keeps by itself, given the newest revision."""

    async def compact(last: Revision) -> None:
        if etcd_of_kind:
            await etcd_of_kind.compact(last - HISTORY_REVISIONS + 1)

    return compact


async def take(batches: AsyncIterator[Batch], count: int) -> list[Change]:
    changes: list[Change] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(changes) < count:
            changes += await anext(batches)
    return changes


async def next_revision(store: Store) -> Revision:
    return Revision((await store.list("")).revision + 1)


async def test_get_returns_what_was_put_and_the_revision_that_wrote_it(
    open_store: Opener, clock: Time
) -> None:
    async with open_store(clock) as store:
        revision = await store.put("/a", b"1")

        assert await store.get("/a") == Entry(key="/a", value=b"1", revision=revision)


async def test_get_of_an_absent_key_raises(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        with pytest.raises(KeyNotFoundError, match="'/a'"):
            await store.get("/a")


async def test_every_change_takes_the_next_revision(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        second = await store.put("/a", b"1")
        third = await store.put("/b", b"1")
        fourth = await store.delete("/a")

        assert [second, third, fourth] == [first + 1, first + 2, first + 3]


async def test_deleting_nothing_takes_no_revision(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")

        assert await store.delete("/b") is None
        assert await store.put("/a", b"2") == first + 1


async def test_list_is_sorted_by_key_and_bounded_by_the_prefix(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        for key in ("/b", "/a/2", "/a/1", "/a", "/a0", "/a/\u00e9"):
            last = await store.put(key, b"")

        listing = await store.list("/a/")

        assert [entry.key for entry in listing.entries] == ["/a/1", "/a/2", "/a/\u00e9"]
        assert listing.revision == last


async def test_list_tells_the_revision_of_the_store_and_not_of_the_prefix(
    open_store: Opener, clock: Time
) -> None:
    async with open_store(clock) as store:
        await store.put("/a", b"1")
        last = await store.put("/b", b"1")

        assert (await store.list("/a")).revision == last


async def test_put_with_the_current_revision_succeeds(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1", expect=ABSENT)
        second = await store.put("/a", b"2", expect=first)

        assert (await store.get("/a")).revision == second


@pytest.mark.parametrize("stale", [True, False])
async def test_put_with_another_revision_changes_nothing(
    open_store: Opener, clock: Time, *, stale: bool
) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        second = await store.put("/a", b"2")

        with pytest.raises(RevisionMismatchError) as caught:
            await store.put("/a", b"3", expect=first if stale else ABSENT)

        assert caught.value.found == second
        assert await store.get("/a") == Entry(key="/a", value=b"2", revision=second)
        assert await next_revision(store) == second + 1


async def test_delete_with_another_revision_changes_nothing(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        second = await store.put("/a", b"2")

        with pytest.raises(RevisionMismatchError):
            await store.delete("/a", expect=first)
        assert await store.delete("/a", expect=second) == second + 1


async def test_delete_expecting_an_entry_that_is_gone_raises(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        await store.delete("/a")

        with pytest.raises(RevisionMismatchError) as caught:
            await store.delete("/a", expect=first)
        assert caught.value.found == ABSENT


async def test_one_of_many_concurrent_creators_wins(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        attempts = [store.put("/a", b"%d" % number, expect=ABSENT) for number in range(20)]
        results = await asyncio.gather(*attempts, return_exceptions=True)

        winners = [number for number, result in enumerate(results) if isinstance(result, int)]
        assert len(winners) == 1
        assert (await store.get("/a")).value == b"%d" % winners[0]


async def test_concurrent_counters_by_compare_and_set_lose_no_increment(
    open_store: Opener, clock: Time
) -> None:
    async def increment(store: Store) -> None:
        while True:
            entry = await store.get("/counter")
            try:
                await store.put("/counter", b"%d" % (int(entry.value) + 1), expect=entry.revision)
            except RevisionMismatchError:
                continue
            return

    async with open_store(clock) as store:
        await store.put("/counter", b"0")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(increment(store))

        assert (await store.get("/counter")).value == b"10"


async def test_transaction_makes_all_changes_at_one_revision(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(60)
        last = await store.put("/b", b"old")
        revision = await store.commit(
            [Write(key="/c", value=b"3", lease=lease.id), Remove(key="/b"), Write(key="/a", value=b"1")]
        )

        assert revision == last + 1
        assert await store.list("/") == Listing(
            entries=(
                Entry(key="/a", value=b"1", revision=revision),
                Entry(key="/c", value=b"3", revision=revision, lease=lease.id),
            ),
            revision=revision,
        )


async def test_watch_sees_a_transaction_whole_and_in_the_order_of_its_keys(
    open_store: Opener, clock: Time
) -> None:
    async with open_store(clock) as store:
        last = await store.put("/b", b"")
        async with store.watch("/", Revision(last + 1)) as batches:
            await store.commit([Write(key="/c", value=b""), Remove(key="/b"), Write(key="/a", value=b"")])
            async with asyncio.timeout(DEADLINE_SECONDS):
                batch = await anext(batches)

        assert [change.key for change in batch] == ["/a", "/b", "/c"]


async def test_transaction_whose_checks_hold_is_done(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        checks = [Check(key="/a", revision=first), Check(key="/b", revision=ABSENT)]

        assert await store.commit([Write(key="/b", value=b"")], checks=checks) == first + 1


@pytest.mark.parametrize(("key", "expected"), [("/a", ABSENT), ("/b", Revision(4711))])
async def test_transaction_with_a_check_that_fails_changes_nothing(
    open_store: Opener, clock: Time, key: str, expected: Revision
) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        found = {"/a": first, "/b": ABSENT}
        checks = [Check(key="/a", revision=first), Check(key=key, revision=expected)]

        with pytest.raises(RevisionMismatchError) as caught:
            await store.commit([Write(key="/c", value=b""), Remove(key="/a")], checks=checks)

        assert (caught.value.key, caught.value.expected, caught.value.found) == (key, expected, found[key])
        assert [entry.key for entry in (await store.list("/")).entries] == ["/a"]
        assert await next_revision(store) == first + 1


async def test_transaction_under_an_unknown_lease_changes_nothing(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")

        with pytest.raises(LeaseNotFoundError):
            await store.commit([Remove(key="/a"), Write(key="/b", value=b"", lease=UNKNOWN)])
        assert await store.get("/a") == Entry(key="/a", value=b"1", revision=first)


async def test_transaction_that_changes_nothing_takes_no_revision(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")

        assert await store.commit([Remove(key="/b")], checks=[Check(key="/a", revision=first)]) == first
        assert await next_revision(store) == first + 1


async def test_transaction_may_be_as_large_as_promised_and_no_larger(open_store: Opener, clock: Time) -> None:
    actions = [Write(key=f"/a/{number}", value=b"") for number in range(TRANSACTION_MAX)]
    async with open_store(clock) as store:
        with pytest.raises(ValueError, match="found 101"):
            await store.commit(actions, checks=[Check(key="/b", revision=ABSENT)])
        await store.commit(actions)

        assert len((await store.list("/a/")).entries) == TRANSACTION_MAX


async def test_transaction_with_two_actions_on_one_key_is_refused(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        with pytest.raises(ValueError, match="several for /a"):
            await store.commit([Remove(key="/a"), Write(key="/a", value=b"")])


async def test_watch_replays_from_its_revision_and_goes_on(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        second = await store.put("/a", b"2")
        async with store.watch("/a", first) as batches:
            replayed = await take(batches, 2)
            third = await store.delete("/a")
            followed = await take(batches, 1)

        assert third is not None
        assert replayed == [
            Put(entry=Entry(key="/a", value=b"1", revision=first)),
            Put(entry=Entry(key="/a", value=b"2", revision=second)),
        ]
        assert followed == [Delete(key="/a", revision=third)]


async def test_watch_sees_every_change_once_in_order_while_writers_race(
    open_store: Opener, clock: Time
) -> None:
    async def write(store: Store, writer: int) -> None:
        for number in range(10):
            await store.put(f"/a/{writer}", b"%d" % number)

    async with open_store(clock) as store:
        start = await next_revision(store)
        async with store.watch("/a/", start) as batches, asyncio.TaskGroup() as tasks:
            for writer in range(4):
                tasks.create_task(write(store, writer))
            changes = await take(batches, 40)

        assert [change.revision for change in changes] == list(range(start, start + 40))


async def test_watch_ignores_other_prefixes(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store, store.watch("/a/", await next_revision(store)) as batches:
        await store.put("/b/1", b"")
        await store.put("/a0", b"")
        await store.put("/a/1", b"")

        assert [change.key for change in await take(batches, 1)] == ["/a/1"]


async def test_watch_from_a_future_revision_waits_for_it(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        start = await next_revision(store)
        async with store.watch("/a", Revision(start + 2)) as batches:
            for number in range(3):
                await store.put("/a", b"%d" % number)

            assert [change.revision for change in await take(batches, 1)] == [start + 2]


async def test_many_watchers_each_see_every_change(open_store: Opener, clock: Time) -> None:
    async def collect(store: Store, start: Revision) -> list[str]:
        async with store.watch("/a/", start) as batches:
            return [change.key for change in await take(batches, 20)]

    async with open_store(clock) as store:
        start = await next_revision(store)
        async with asyncio.TaskGroup() as tasks:
            watchers = [tasks.create_task(collect(store, start)) for _ in range(50)]
            for number in range(20):
                await store.put(f"/a/{number}", b"")

        expected = [f"/a/{number}" for number in range(20)]
        assert all(watcher.result() == expected for watcher in watchers)


async def test_watch_from_a_revision_before_the_history_says_where_it_begins(
    open_store: Opener, clock: Time, forget: Callable[[Revision], Awaitable[None]]
) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"")
        for _ in range(HISTORY_REVISIONS):
            last = await store.put("/a", b"")
        await forget(last)

        with pytest.raises(CompactedError) as caught:
            async with store.watch("/a", first) as batches:
                await take(batches, 1)
        async with store.watch("/a", Revision(caught.value.compact_revision)) as batches:
            assert (await take(batches, HISTORY_REVISIONS))[-1].revision == last


@only(EMBEDDED)
async def test_watcher_that_falls_behind_the_history_loses_the_watch(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store, store.watch("/a", await next_revision(store)) as batches:
        for _ in range(HISTORY_REVISIONS + 1):
            await store.put("/a", b"")

        with pytest.raises(CompactedError):
            await take(batches, 1)


async def test_quiet_watch_outlives_more_of_others_changes_than_the_history_holds(
    open_store: Opener, clock: Time
) -> None:
    async with (
        open_store(clock) as store,
        store.watch("/a", await next_revision(store)) as batches,
        asyncio.TaskGroup() as tasks,
    ):
        waiting = tasks.create_task(take(batches, 1))
        await batches.reach((await store.list("")).revision)  # nothing is left to read
        for _ in range(HISTORY_REVISIONS * 2):
            await store.put("/b", b"")
        revision = await store.put("/a", b"")

        assert [change.revision for change in await waiting] == [revision]


async def test_watch_says_that_its_reader_has_dealt_with_everything_so_far(
    open_store: Opener, clock: Time
) -> None:
    dealt_with: list[Change] = []

    async def read(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            await asyncio.sleep(0)
            dealt_with.extend(batch)

    async with open_store(clock) as store, store.watch("/a/", await next_revision(store)) as batches:
        reader = asyncio.create_task(read(batches))
        for number in range(20):
            await store.put(f"/a/{number}", b"")
        last = await store.put("/b", b"")
        async with asyncio.timeout(DEADLINE_SECONDS):
            await batches.reach(last)

        assert len(dealt_with) == 20
        reader.cancel()


async def test_lease_that_is_not_kept_alive_takes_its_entries_with_it(
    open_store: Opener, clock: Time, kind: StoreKind
) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(kind.lease_seconds)
        for key in ("/a/2", "/a/1"):
            last = await store.put(key, b"", lease=lease.id)
        async with store.watch("/a/", Revision(last + 1)) as batches:
            await clock.advance(kind.lease_seconds * 1.2)
            changes = await take(batches, 2)

        assert changes == [Delete(key=key, revision=Revision(last + 1)) for key in ("/a/1", "/a/2")]
        assert (await store.list("/a/")).entries == ()


@only(EMBEDDED)
async def test_lease_lives_for_its_whole_time(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(5)
        await store.put("/a", b"", lease=lease.id)
        await clock.advance(4.9)

        assert (await store.get("/a")).lease == lease.id


async def test_lease_that_is_kept_alive_stays(open_store: Opener, clock: Time, kind: StoreKind) -> None:
    ttl_seconds = 2 * kind.lease_seconds
    async with open_store(clock) as store:
        lease = await store.grant(ttl_seconds)
        await store.put("/a", b"", lease=lease.id)
        for _ in range(6):
            await clock.advance(ttl_seconds / 4)
            assert await store.keep_alive(lease.id) == lease

        assert (await store.get("/a")).value == b""


async def test_many_leases_are_kept_alive_together(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        leases = await asyncio.gather(*(store.grant(60) for _ in range(50)))

        renewed = await asyncio.gather(*(store.keep_alive(lease.id) for lease in leases for _ in range(3)))
        assert renewed == [lease for lease in leases for _ in range(3)]


async def test_expired_lease_cannot_be_kept_alive(open_store: Opener, clock: Time, kind: StoreKind) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(kind.lease_seconds)
        await clock.advance(kind.lease_seconds * 1.2)

        with pytest.raises(LeaseNotFoundError):
            await store.keep_alive(lease.id)


async def test_revoked_lease_takes_its_entries_with_it_at_once(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(60)
        await store.put("/a", b"", lease=lease.id)
        await store.put("/b", b"")
        await store.revoke(lease.id)

        assert [entry.key for entry in (await store.list("/")).entries] == ["/b"]


async def test_unknown_lease_is_refused_everywhere(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        with pytest.raises(LeaseNotFoundError):
            await store.put("/a", b"", lease=UNKNOWN)
        with pytest.raises(LeaseNotFoundError):
            await store.keep_alive(UNKNOWN)
        with pytest.raises(LeaseNotFoundError):
            await store.revoke(UNKNOWN)
        assert (await store.list("")).entries == ()


async def test_entry_belongs_to_the_lease_of_its_last_put(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        old, new = await store.grant(60), await store.grant(60)
        await store.put("/a", b"", lease=old.id)
        await store.put("/b", b"", lease=old.id)
        await store.put("/a", b"", lease=new.id)
        await store.put("/b", b"")
        await store.revoke(old.id)

        assert [(entry.key, entry.lease) for entry in (await store.list("/")).entries] == [
            ("/a", new.id),
            ("/b", None),
        ]


@only(kind for kind in KINDS if kind.is_durable)
async def test_restart_keeps_entries_and_revisions(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        revision = await store.put("/a", b"1")

    async with open_store(clock) as store:
        assert await store.get("/a") == Entry(key="/a", value=b"1", revision=revision)
        assert await store.put("/a", b"2", expect=revision) == revision + 1


@only(kind for kind in KINDS if kind.is_durable)
async def test_restart_keeps_the_history(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        first = await store.put("/a", b"1")
        await store.put("/a", b"2")

    async with open_store(clock) as store, store.watch("/a", first) as batches:
        assert [change.revision for change in await take(batches, 2)] == [first, first + 1]


@only(kind for kind in EMBEDDED if kind.is_durable)
async def test_restart_gives_every_lease_its_full_time_again(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        lease = await store.grant(15)
        await store.put("/a", b"", lease=lease.id)
        await clock.advance(14)
    clock.jump(3600)

    async with open_store(clock) as store:
        await clock.advance(14)
        assert await store.keep_alive(lease.id) == lease
        assert (await store.get("/a")).lease == lease.id
