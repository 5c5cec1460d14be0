"""Everything changes at once for twenty sidecars: the push arrives soon, and nobody is crushed by it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.faults.census import resident_mib
from tests.support.faults.judge import Judge
from tests.support.faults.line import Line, line_to
from tests.support.faults.stand import SIDECARS, Stand
from tests.support.faults.traffic import Traffic
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane, Sidecar
from tests.support.readiness import Condition, until

SERVICES = 500
LIMITS = 18  # policies of each service, beside one of the other kind: 10,000 documents in all
FLEET = 20
CALLS_AT_ONCE = 16
BASELINE_SECONDS = 8
CONVERGES_SECONDS = 30
CONTROL_PLANE_MIB = 1024
SIDECAR_MIB = 96
ONE_CHANGE_BYTES = 10_000
ONE_CHANGE_SECONDS = 1
SERVICE = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: ext-{number}, namespace: test}}
spec:
  hosts: [ext-{number}]
  ports: [{{name: http, port: 80}}]
  endpoints: [{{address: 127.0.0.1, port: {port}}}]
---
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: ext-{number}, namespace: test}}
spec:
  targetRefs: [{{group: breakwater.dev, kind: ExternalService, name: ext-{number}}}]
  timeouts: {{request: {seconds}s}}
"""
LIMIT = """\
---
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{name: ext-{number}-{limit}, namespace: test}}
spec:
  targetRefs: [{{group: breakwater.dev, kind: ExternalService, name: ext-{number}}}]
  limits: [{{name: all, requests: 100000, per: {seconds}s}}]
"""


@pytest.mark.fault("F7 10,000 policies pushed")
@pytest.mark.timeout(600)
async def test_a_large_push_arrives_soon(tmp_path: Path, judge: Judge) -> None:
    lines: list[Line] = []

    @asynccontextmanager
    async def door(plane: ControlPlane) -> AsyncIterator[int]:
        async with line_to(plane.discovery) as line:
            lines.append(line)
            yield line.port

    async with trial(tmp_path, judge, door=door) as running, AsyncExitStack() as stack:
        stand, port = running.stand, running.stand.workloads[0].app.port
        crowd = [await stand.join(stack, "crowd", f"crowd-{n}", port) for n in range(FLEET - SIDECARS)]
        write(stand, port, seconds=1)
        await asyncio.gather(*(member.ready() for member in crowd))
        await call_everybody([*stand.sidecars, *crowd])
        await until(stand.converged(count=FLEET), timeout_seconds=120)
        baseline = await p99_ms(running.traffic, BASELINE_SECONDS)

        began, before = time.monotonic(), await stand.revision()
        write(stand, port, seconds=2)
        during = asyncio.create_task(p99_ms(running.traffic, BASELINE_SECONDS))
        await until(applied(stand, after=before), timeout_seconds=3 * CONVERGES_SECONDS)
        judge.at_most(f"all {FLEET} sidecars apply it", time.monotonic() - began, CONVERGES_SECONDS)
        judge.note("p99 of all calls meanwhile, before", f"{await during:.1f} ms, {baseline:.1f} ms")
        heaviest = max(resident_mib(plane.process.pid) for plane in stand.planes)
        judge.at_most("control plane's memory", heaviest, CONTROL_PLANE_MIB, "MiB")
        heaviest = max(resident_mib(one.process.pid) for one in [*stand.sidecars, *crowd])
        judge.at_most("a sidecar's memory", heaviest, SIDECAR_MIB, "MiB")

        began, before = time.monotonic(), await stand.revision()
        carried = sum(line.carried_bytes for line in lines)
        (stand.scratch / "policies" / "ext-7.yaml").write_text(document(7, port, seconds=3))
        await until(applied(stand, after=before))
        judge.at_most("one policy then, applied by all", time.monotonic() - began, ONE_CHANGE_SECONDS)
        each = (sum(line.carried_bytes for line in lines) - carried) / FLEET
        judge.at_most("for which each is sent", each, ONE_CHANGE_BYTES, "bytes")


def write(stand: Stand, port: int, *, seconds: int) -> None:
    """Write the whole set anew."""
    for number in range(SERVICES):
        draft = stand.scratch / "policies" / f"ext-{number}.draft"
        draft.write_text(document(number, port, seconds=seconds))
        draft.replace(draft.with_suffix(".yaml"))


def document(number: int, port: int, *, seconds: int) -> str:
    """Return the documents of one service."""
    limits = (LIMIT.format(number=number, limit=limit, seconds=seconds) for limit in range(LIMITS))
    return SERVICE.format(number=number, port=port, seconds=seconds) + "".join(limits)


async def call_everybody(members: list[Sidecar]) -> None:
    """Have each sidecar call each service once, so that it holds them all."""
    gate = asyncio.Semaphore(CALLS_AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def call(member: Sidecar, number: int) -> None:
            async with (
                gate,
                session.get(
                    f"http://127.0.0.1:{member.outbound}/", headers={"Host": f"ext-{number}"}
                ) as answer,
            ):
                assert answer.status == 200

        await asyncio.gather(*(call(member, number) for member in members for number in range(SERVICES)))


async def p99_ms(traffic: Traffic, seconds: float) -> float:
    """Return the latency that one in a hundred calls exceeds, over some seconds from now."""
    before = len(traffic.latencies_ns())
    await traffic.more(seconds)
    ordered = sorted(traffic.latencies_ns()[before:])
    return ordered[int(0.99 * len(ordered))] / 1e6


def applied(stand: Stand, *, after: int) -> Condition:
    """Return the condition that all sidecars apply a revision newer than `after`."""
    converged = stand.converged(count=FLEET)

    async def holds() -> bool:
        return await stand.revision() > after and await converged()

    return holds
