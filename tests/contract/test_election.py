"""The election over every store: one leader, a successor in time, and a fence against the one before."""

import pytest

from registry.election import LEADER_SECONDS, LOOK_SECONDS, Election, stand
from registry.errors import KeyNotFoundError, NotLeaderError, RevisionMismatchError
from registry.keys import LEADER
from registry.store import ABSENT, Check, Remove, Write
from tests.support.flaky_store import FlakyStore
from tests.support.stores import EMBEDDED, Opener, Time, only

SUCCESSION_SECONDS = 20

waits_for_leases = only(EMBEDDED)


def leading(*candidates: Election) -> list[str]:
    return [one.leader for one in candidates if one.leadership]


async def test_one_of_many_candidates_leads_and_all_know_who(open_store: Opener, clock: Time) -> None:
    async with (
        open_store(clock) as store,
        stand(store, "one", clock=clock) as one,
        stand(store, "two", clock=clock) as two,
        stand(store, "three", clock=clock) as three,
    ):
        while not (one.leader and two.leader and three.leader):
            await clock.advance(LOOK_SECONDS)

        [leader] = leading(one, two, three)
        assert {one.leader, two.leader, three.leader} == {leader}


@waits_for_leases
async def test_leader_stays_the_leader_while_it_renews(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store, stand(store, "one", clock=clock) as one:
        first = await one.elected()
        async with stand(store, "two", clock=clock) as two:
            await clock.advance(3 * LEADER_SECONDS)

            assert one.leadership == first
            assert leading(one, two) == ["one"]
            assert one.renewed_seconds is not None
            assert one.renewed_seconds <= LOOK_SECONDS


async def test_leader_that_leaves_is_succeeded_at_once(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        async with stand(store, "one", clock=clock) as one:
            await one.elected()
        async with stand(store, "two", clock=clock) as two:
            await two.elected()

            assert two.leader == "two"


@waits_for_leases
async def test_leader_that_is_cut_off_stops_before_its_successor_begins(
    open_store: Opener, clock: Time
) -> None:
    async with open_store(clock) as store:
        flaky = FlakyStore(store)
        async with stand(flaky, "one", clock=clock) as one:
            await one.elected()
            async with stand(store, "two", clock=clock) as two:
                flaky.lose()
                for _ in range(SUCCESSION_SECONDS):
                    await clock.advance(1)
                    assert len(leading(one, two)) <= 1

                assert leading(one, two) == ["two"]


@waits_for_leases
async def test_first_write_of_a_leader_that_was_paused_fails(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        flaky = FlakyStore(store)
        async with stand(flaky, "one", clock=clock) as one:
            old = await one.elected()
            flaky.lose()
            async with stand(store, "two", clock=clock) as two:
                await clock.advance(SUCCESSION_SECONDS)
                new = await two.elected()
                flaky.regain()

                assert new.fence > old.fence
                with pytest.raises(NotLeaderError):
                    await old.commit([Write(key="/a", value=b"old")])
                with pytest.raises(KeyNotFoundError):
                    await store.get("/a")
                await new.commit([Write(key="/a", value=b"new")])


async def test_write_of_a_leader_whose_key_is_another_s_fails(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store, stand(store, "one", clock=clock) as one:
        old = await one.elected()
        await store.delete(LEADER)
        async with stand(store, "two", clock=clock) as two:
            while not leading(one, two):
                await clock.advance(LOOK_SECONDS)

            with pytest.raises(NotLeaderError):
                await old.commit([Write(key="/a", value=b"old")])


async def test_write_of_the_leader_keeps_its_own_checks(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store, stand(store, "one", clock=clock) as one:
        leadership = await one.elected()
        await leadership.commit([Write(key="/a", value=b"1")], checks=[Check(key="/a", revision=ABSENT)])
        with pytest.raises(RevisionMismatchError) as caught:
            await leadership.commit([Remove(key="/a")], checks=[Check(key="/a", revision=ABSENT)])

        assert caught.value.key == "/a"


async def test_leader_whose_key_is_taken_away_notices_and_stands_again(
    open_store: Opener, clock: Time
) -> None:
    async with open_store(clock) as store, stand(store, "one", clock=clock) as one:
        first = await one.elected()
        await store.delete(LEADER)
        while one.leadership in {None, first}:
            await clock.advance(1)

        assert (await one.elected()).fence > first.fence


@waits_for_leases
async def test_candidate_waits_for_a_store_that_is_away(open_store: Opener, clock: Time) -> None:
    async with open_store(clock) as store:
        flaky = FlakyStore(store)
        flaky.lose()
        async with stand(flaky, "one", clock=clock) as one:
            await clock.advance(3 * LOOK_SECONDS)
            assert one.leadership is None
            flaky.regain()
            await clock.advance(2 * LOOK_SECONDS)

            assert one.leader == "one"
