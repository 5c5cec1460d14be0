"""What is measured of one fleet, from a change, or from connecting, to what sidecars saw."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from tests.bench.controlplane.lights import Lights
from tests.bench.controlplane.plane import Plane, Registry
from tests.support.readiness import until

IDLE_SECONDS: Final = 0.3
"""How long a resource rests to be idle: longer than any window of the debounce, and its rest."""

SETTLE_SECONDS: Final = 2.0
"""How long a process is left alone before its memory is read."""

CHURN_PER_SECOND: Final = 100
FLAPS_PER_SECOND: Final = 50
CONVERGE_TIMEOUT_SECONDS: Final = 30
_MS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One fleet of light sidecars before one control plane."""

    registry: Registry
    plane: Plane
    lights: Lights
    sidecars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One change that reached its readers: milliseconds from its writing, and what it cost.

    `pushed_ms` are from the first sidecar that has all of it to the last, `responses` those to all sidecars,
    `most_bytes` what most reached one of them, framing included.
    """

    applied_ms: float
    received_ms: float
    pushed_ms: float
    cpu_ms: float
    responses: int
    most_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """All sidecars connecting at once; `sent` are responses to them, though nothing had changed."""

    back_ms: float
    refused: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Churn:
    """Many changes for a while: milliseconds from writing to applying, CPU in cores, responses a second."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    cores: float
    responses_per_second: float


async def cold_start(stand: Stand) -> float:
    """Return the milliseconds in which all sidecars, that hold nothing, get all they want."""
    stand.lights.begin()
    began_ns = time.monotonic_ns()
    stand.lights.connect(stand.plane.port)
    tally = await stand.lights.reached("complete", stand.sidecars)
    return (tally.complete_ns - began_ns) / _MS


async def storm(stand: Stand, *, accompanied: bool = False) -> Storm:
    """Return how all sidecars, cut off at once, come back."""
    await _quiet(stand)
    stand.lights.begin()
    began_ns = time.monotonic_ns()
    stand.lights.connect(stand.plane.port, accompanied=accompanied)
    tally = await stand.lights.reached("connected", stand.sidecars)
    await asyncio.sleep(IDLE_SECONDS)
    sent = (await stand.lights.report()).responses
    return Storm(back_ms=(tally.connected_ns - began_ns) / _MS, refused=tally.lost, sent=sent)


async def edit(stand: Stand, policy: int, *, timeout_ms: int, readers: int) -> Delivery:
    """Return how one changed policy reached its readers."""
    await asyncio.sleep(IDLE_SECONDS)
    before = stand.plane.usage()
    stand.lights.begin()
    began_ns = await stand.registry.edit(policy, timeout_ms=timeout_ms)
    return await _delivery(stand, began_ns, before.cpu_ns, readers)


async def push(stand: Stand, position: int) -> Delivery:
    """Return how one changed endpoint of the service that all call reached all: 20 KB each."""
    await asyncio.sleep(IDLE_SECONDS)
    before = stand.plane.usage()
    stand.lights.begin()
    began_ns = await stand.registry.register(0, position)
    return await _delivery(stand, began_ns, before.cpu_ns, stand.sidecars)


async def churn(stand: Stand, *, seconds: int) -> Churn:
    """Return how endpoints that change everywhere, but for the service that all call, reach their readers."""
    await asyncio.sleep(IDLE_SECONDS)
    before = stand.plane.usage()
    stand.lights.begin()
    began = time.monotonic()
    for number in range(seconds * CHURN_PER_SECOND):
        await asyncio.sleep(began + number / CHURN_PER_SECOND - time.monotonic())
        position, service = divmod(number, stand.registry.world.services - 1)
        await stand.registry.register(1 + service, position)
    spent = stand.plane.usage().since(before)
    await asyncio.sleep(IDLE_SECONDS)
    tally = await stand.lights.report()
    return Churn(
        p50_ms=tally.lag_p50_ns / _MS,
        p99_ms=tally.lag_p99_ns / _MS,
        most_ms=tally.lag_max_ns / _MS,
        cores=spent.cpu_ns / 1e9 / seconds,
        responses_per_second=tally.responses / seconds,
    )


async def flap(stand: Stand, policy: int, *, seconds: int, readers: int) -> float:
    """Return the pushes a second to each reader of a policy that flaps, once all have its last state."""
    await _quiet(stand)
    stand.lights.begin()
    began = time.monotonic()
    for number in range(seconds * FLAPS_PER_SECOND):
        await asyncio.sleep(began + number / FLAPS_PER_SECOND - time.monotonic())
        await stand.registry.edit(policy, timeout_ms=700 + number % 2)
    took_seconds = time.monotonic() - began
    tally = await stand.lights.report()
    await until(stand.plane.has_converged, timeout_seconds=CONVERGE_TIMEOUT_SECONDS)
    return tally.responses / took_seconds / readers


async def memory_kib(plane: Plane) -> int:
    """Return the resident memory of a control plane, once it has settled."""
    await asyncio.sleep(SETTLE_SECONDS)
    return plane.resident_kib()


async def _quiet(stand: Stand) -> None:
    """Return once all sidecars apply all they want, and nothing has come for a while."""
    await until(stand.plane.has_converged, timeout_seconds=CONVERGE_TIMEOUT_SECONDS)
    before, now = None, await stand.lights.report()
    while before is None or now.responses != before.responses:
        await asyncio.sleep(IDLE_SECONDS)
        before, now = now, await stand.lights.report()


async def _delivery(stand: Stand, began_ns: int, cpu_ns: int, readers: int) -> Delivery:
    tally = await stand.lights.reached("applied", readers)
    await asyncio.sleep(IDLE_SECONDS)  # whatever comes too often, or to others, comes by then
    after = await stand.lights.report()
    return Delivery(
        applied_ms=(tally.applied_ns - began_ns) / _MS,
        received_ms=(tally.last_ns - began_ns) / _MS,
        pushed_ms=(tally.last_ns - tally.first_ns) / _MS,
        cpu_ms=(stand.plane.usage().cpu_ns - cpu_ns) / _MS,
        responses=after.responses,
        most_bytes=after.most_bytes,
    )
