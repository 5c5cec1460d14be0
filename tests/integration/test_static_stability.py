"""Traffic never depends on the control plane: it dies, a sidecar restarts, and nobody else notices."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.support.documents import rate_limit, service
from tests.support.fleet import Fleet, fleet
from tests.support.load import LoadReport, getting, offering
from tests.support.mesh import Sidecar, sidecar
from tests.support.ports import free_port
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, answering, listening, that, until
from tests.support.refusal import refusal
from tests.support.state import (
    CURRENT,
    LOGS_INTO_A_PIPE,
    PREVIOUS,
    copy,
    duplicate,
    empty,
    flip,
    let_write_nothing,
    only_current,
    truncate,
    words,
)
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE_PER_SECOND = 100
LIMITS = [{"name": "all", "requests": 100_000, "per": "1s"}]
MANY_CALLS = 60
QUOTA = re.compile(r";q=(\d+)")
REFUSED = "configuration on disk refused"
NOT_SAVED = "configuration not saved"


async def test_a_killed_control_plane_and_a_restarted_sidecar_fail_nobody_else(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        fleet(tmp_path, store=f"sqlite:{tmp_path / 'registry.db'}") as mesh,
        aiohttp.ClientSession() as session,
    ):
        caller = await mesh.join("test/caller", app_port=upstream.port)
        await mesh.join("test/steady", app_port=upstream.port)
        restarted = await mesh.join("test/restarted", app_port=upstream.port)
        await mesh.put("limits", rate_limit("limits", service("restarted"), limits=LIMITS))
        url = f"http://127.0.0.1:{caller.outbound}/"
        assert (await fetch(caller.outbound, host="restarted")).status == 200

        async with offering(getting(session, url, host="steady"), rate_per_second=RATE_PER_SECOND) as steady:
            await more(steady)
            await mesh.plane.process.kill()
            await more(steady)
            await restarted.process.kill()
            await restarted.process.start()
            await until(enforcing(restarted))
            await more(steady)
            call = getting(session, url, host="restarted")
            async with offering(call, rate_per_second=RATE_PER_SECOND, seed=1) as after:
                await more(after)
                await mesh.plane.process.start()
                await until(all_back(mesh, 3), timeout_seconds=30)
                await more(after)
                await more(steady)
    assert (steady.statuses, steady.failures) == ({200: steady.offered}, {})
    assert (after.statuses, after.failures) == ({200: after.offered}, {})


def enforcing(member: Sidecar) -> Condition:
    async def enforces() -> bool:
        try:
            response = await fetch(member.inbound, host="restarted")
        except (OSError, EOFError):
            return False
        return response.status == 200 and response.text("ratelimit-policy") is not None

    return enforces


async def more(report: LoadReport) -> None:
    """Return once `MANY_CALLS` more have ended, well or badly."""
    wanted = report.offered + MANY_CALLS
    await until(that(lambda: report.offered >= wanted), timeout_seconds=30)


def all_back(mesh: Fleet, members: int) -> Condition:
    async def holds() -> bool:
        if not await listening(mesh.plane.admin)():
            return False
        status = await mesh.ask("GetStatus")
        return bool(status["connectedSidecars"] == status["convergedSidecars"] == members)

    return holds


async def test_a_sidecar_that_never_had_a_configuration_says_so(tmp_path: Path) -> None:
    async with sidecar(tmp_path, "test/alone", app_port=free_port(), discovery=free_port()) as alone:
        await until(listening(alone.outbound))
        refused = refusal(await fetch(alone.outbound, host="svc"))
        assert (refused.status, refused.reason) == (503, "config.missing")
        assert not await answering(alone.http, path="/ready")()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ended(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Sidecar, Sidecar]]:
    """Two sidecars that ended, as all else did, with a limit of 2,000 on disk where there was 1,000."""
    async with ScriptedUpstream() as upstream, fleet(tmp_path_factory.mktemp("ended")) as mesh:
        left = await mesh.join("test/left", app_port=upstream.port)
        right = await mesh.join("test/right", app_port=upstream.port)
        for requests in (1000, 2000):
            await limit(mesh, requests)
            for member in (left, right):
                await until(saved(member.state, requests))
        await mesh.plane.process.kill()
        for member in (left, right):
            await member.process.kill()
        yield left, right


@pytest_asyncio.fixture(loop_scope="module")
async def left_alone(
    ended: tuple[Sidecar, Sidecar], tmp_path: Path
) -> AsyncIterator[tuple[Sidecar, Sidecar]]:
    """The two as they ended; what a test does to their disks is undone after it."""
    for member in ended:
        member.process.clear()
        duplicate(member.state, tmp_path / member.state.name)
    yield ended
    for member in ended:
        await member.process.kill()
        duplicate(tmp_path / member.state.name, member.state)


async def limit(mesh: Fleet, requests: int) -> None:
    """Limit whoever is there; returns once they enforce it."""
    limits = [{"name": "all", "requests": requests, "per": "1s"}]
    targets = (service("left"), service("right"))
    await mesh.put("limits", rate_limit(f"limit-{requests}", *targets, limits=limits))


def saved(state: Path, requests: int) -> Condition:
    return that(lambda: f"limit-{requests}" in words(state / CURRENT))


def tells(member: Sidecar, event: str) -> Condition:
    return that(lambda: event in member.process.output())


async def quota(member: Sidecar) -> int | None:
    """Return the limit that a sidecar states on live traffic."""
    found = QUOTA.search((await fetch(member.inbound, host="left")).text("ratelimit-policy") or "")
    return int(found[1]) if found else None


async def starts_without_configuration(member: Sidecar) -> None:
    """Check that a sidecar refuses to use what is on its disk, and says so."""
    await member.process.start()
    await until(listening(member.outbound))
    assert refusal(await fetch(member.outbound, host="right")).reason == "config.missing"
    assert not await answering(member.http, path="/ready")()
    await until(tells(member, REFUSED))


async def test_a_sidecar_serves_from_disk_when_nobody_is_there(left_alone: tuple[Sidecar, Sidecar]) -> None:
    left, _ = left_alone
    await left.process.start()
    await left.ready()
    assert await quota(left) == 2000


@pytest.mark.parametrize("spoil", [empty, truncate, flip], ids=["empty", "truncated", "flipped"])
async def test_the_generation_before_serves_when_the_newest_is_corrupt(
    left_alone: tuple[Sidecar, Sidecar], spoil: Callable[[Path], None]
) -> None:
    left, _ = left_alone
    spoil(left.state / CURRENT)
    expected = 1000 if "limit-1000" in words(left.state / PREVIOUS) else 2000
    await left.process.start()
    await left.ready()
    assert await quota(left) == expected
    await until(tells(left, REFUSED))


async def test_a_corrupt_configuration_is_never_served(left_alone: tuple[Sidecar, Sidecar]) -> None:
    left, _ = left_alone
    flip(only_current(left.state))
    await starts_without_configuration(left)


async def test_the_configuration_of_another_sidecar_is_never_served(
    left_alone: tuple[Sidecar, Sidecar],
) -> None:
    left, right = left_alone
    copy(right.state, left.state)
    await starts_without_configuration(left)


async def test_an_older_configuration_never_takes_the_place_of_a_newer_one(
    left_alone: tuple[Sidecar, Sidecar],
) -> None:
    left, _ = left_alone
    newest, before = left.state / CURRENT, left.state / PREVIOUS
    swapped = before.read_bytes(), newest.read_bytes()
    newest.write_bytes(swapped[0])
    before.write_bytes(swapped[1])
    await left.process.start()
    await left.ready()
    assert await quota(left) == 2000


async def test_a_backup_is_never_served_where_newer_configurations_were(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, fleet(tmp_path) as mesh:
        left = await mesh.join("test/left", app_port=upstream.port)
        backups = []
        for requests in (1000, 2000, 3000):
            await limit(mesh, requests)
            await until(saved(left.state, requests))
            backups.append((left.state / CURRENT).read_bytes())
        await mesh.plane.process.kill()
        await left.process.kill()
        for file in (CURRENT, PREVIOUS):
            (left.state / file).write_bytes(backups[0])
        await starts_without_configuration(left)


async def test_a_disk_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, fleet(tmp_path) as mesh:
        left = await mesh.join("test/left", app_port=upstream.port, prefix=LOGS_INTO_A_PIPE)
        await limit(mesh, 1000)
        await until(saved(left.state, 1000))
        let_write_nothing(left.process.pid)
        await limit(mesh, 2000)
        assert await quota(left) == 2000
        await until(tells(left, NOT_SAVED))
        await limit(mesh, 3000)
        assert await quota(left) == 3000
        await mesh.plane.process.kill()
        await left.process.kill()
        await left.process.start()
        await left.ready()
        assert await quota(left) == 1000
        assert left.process.output().count(NOT_SAVED) == 1
