"""What sidecars keep on disk is damaged, or can no longer be written: none crashes, none serves nonsense."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.faults.disk import fill_disk, free_disk, make_read_only, make_writable, small_disk
from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.outage import kill_planes, restart, return_planes
from tests.support.faults.stand import stated_quota
from tests.support.faults.trial import trial
from tests.support.mesh import Sidecar
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, answering, listening, that, until
from tests.support.state import CURRENT, PREVIOUS, copy, empty, flip, only_current, truncate

OLD, NEW, NEWEST = 10_001, 10_002, 10_003
UNREADY = "nothing, and is not ready"
SAVED_SECONDS = 15
SERVES_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What is done to a state directory, with another sidecar's at hand, and what may be served then."""

    name: str
    do: Callable[[Path, Path], None]
    serves: frozenset[str]


def swap(state: Path, _: Path) -> None:
    """Put the generation before in the place of the newest."""
    newest, before = (state / CURRENT).read_bytes(), (state / PREVIOUS).read_bytes()
    (state / CURRENT).write_bytes(before)
    (state / PREVIOUS).write_bytes(newest)


KEPT = frozenset(map(str, (OLD, NEW)))
NOTHING = frozenset({UNREADY})
DAMAGES = (
    Damage(name="empty", do=lambda state, _: empty(state / CURRENT), serves=KEPT),
    Damage(name="truncated", do=lambda state, _: truncate(state / CURRENT), serves=KEPT),
    Damage(name="a bit flipped", do=lambda state, _: flip(state / CURRENT), serves=KEPT),
    Damage(name="older than the one before", do=swap, serves=frozenset({str(NEW)})),
    Damage(name="a bit flipped, no other", do=lambda state, _: flip(only_current(state)), serves=NOTHING),
    Damage(name="another instance's", do=lambda state, other: copy(other, state), serves=NOTHING),
)


@pytest.mark.fault("F23 last good configuration damaged")
async def test_a_damaged_configuration_is_never_served(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running:
        stand, running.judges_counts, running.judges_revisions = running.stand, False, False
        victim, other = (workload.sidecar for workload in stand.of("shaken")[:2])
        for requests in (OLD, NEW):
            await stand.quota(requests)
            await until(stand.enforces(requests))
            await until(saved(victim, requests))
        await kill_planes(stand)
        for damage in DAMAGES:
            await victim.process.kill()
            kept = {file: (victim.state / file).read_bytes() for file in (CURRENT, PREVIOUS)}
            damage.do(victim.state, other.state)
            await victim.process.start()
            await until(listening(victim.inbound))
            found = await served(victim)
            expected = " or ".join(sorted(damage.serves))
            judge.expect(f"{damage.name}: serves {expected}", found, held=found in damage.serves)
            await victim.process.kill()
            for file, content in kept.items():
                (victim.state / file).write_bytes(content)
            await victim.process.start()
            await victim.ready()
        await return_planes(stand)


@pytest.mark.fault("F23 disk full, then read-only")
async def test_a_disk_that_takes_nothing_holds_up_nobody(tmp_path: Path, judge: Judge) -> None:
    state = tmp_path / "shaken-0"
    async with small_disk(state), trial(tmp_path, judge) as running:
        stand, running.judges_counts = running.stand, False
        victim = stand.of("shaken")[0].sidecar
        fill_disk(state)
        await stand.quota(NEW)
        await until(stand.enforces(NEW))
        judge.expect("full: what is new is in force", NEW, held=True)
        await running.traffic.more(7)
        free_disk(state)
        await until(saved(victim, NEW), timeout_seconds=SAVED_SECONDS)
        await make_read_only(state)
        await stand.quota(NEWEST)
        await until(stand.enforces(NEWEST))
        judge.expect("read-only: what is new is in force", NEWEST, held=True)
        complaints = len(events(victim.process, "configuration not saved"))
        judge.expect("one complaint a minute", complaints, held=complaints == 1)
        await kill_planes(stand)
        took = await restart(victim, victim.inbound, "shaken")
        judge.at_most("restarted, it serves what it could save", took, SERVES_SECONDS)
        found = await served(victim)
        judge.expect("which is the quota before", found, held=found == str(NEW))
        await make_writable(state)
        await return_planes(stand)
        await until(stand.enforces(NEWEST))


def saved(member: Sidecar, policy_requests: int) -> Condition:
    """Return the condition that the quota of so many requests is on the disk of a sidecar."""
    wanted = encoded(policy_requests)
    return that(lambda: wanted in (member.state / CURRENT).read_bytes())


def encoded(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    low, rest = bytearray(), number
    while rest > 0x7F:
        low.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*low, rest])


async def served(member: Sidecar) -> str:
    """Return the quota that a sidecar states on live traffic, or that it is not ready to serve any."""
    if not await answering(member.http, path="/ready")():
        return UNREADY
    return str(stated_quota(await fetch(member.inbound, host="shaken")))
