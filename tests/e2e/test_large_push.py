"""Everything changes at once for twenty sidecars: the push arrives soon, and nobody is crushed by it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from tests.support.app import App
from tests.support.faults.census import resident_mib
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.line import Line, line_to
from tests.support.faults.stand import SIDECARS, Stand
from tests.support.faults.traffic import Traffic
from tests.support.faults.trial import trial
from tests.support.load import Call, getting
from tests.support.mesh import ControlPlane, Sidecar
from tests.support.metrics import scrape
from tests.support.readiness import Condition, until

SERVICES = 500
LIMITS = 18  # policies of each service, beside one of the other kind: 10,000 documents in all
FLEET = 20
CALLS_AT_ONCE = 16
PATIENCE_SECONDS = 60
SETTLES_SECONDS = 3
BASELINE_SECONDS = 8
CONVERGES_SECONDS = 30
CONTROL_PLANE_MIB = 1024
SIDECAR_MIB = 96
EDITS = 5
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
async def test_a_large_push_arrives_soon(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    lines: list[Line] = []

    @asynccontextmanager
    async def door(plane: ControlPlane) -> AsyncIterator[int]:
        async with line_to(plane.discovery) as line:
            lines.append(line)
            yield line.port

    async with trial(tmp_path, judge, door=door) as running, App() as app, AsyncExitStack() as stack:
        stand, port = running.stand, app.port
        crowd = [await stand.join(stack, "crowd", f"crowd-{n}", port) for n in range(FLEET - SIDECARS)]
        write(stand, port, seconds=1)
        await asyncio.gather(*(member.ready() for member in crowd))
        await until(compiled(stand), timeout_seconds=60)
        await call_many([*stand.sidecars, *crowd], lengths.called)
        await until(stand.converged(count=FLEET), timeout_seconds=120)
        await running.traffic.more(SETTLES_SECONDS)
        baseline = await p99_ms(running.traffic, BASELINE_SECONDS)

        began, before = time.monotonic(), await stand.revision()
        write(stand, port, seconds=2)
        during = asyncio.create_task(p99_ms(running.traffic, BASELINE_SECONDS))
        await until(applied(stand, after=before), timeout_seconds=3 * CONVERGES_SECONDS)
        judge.at_most(
            f"all {FLEET} sidecars apply it, {lengths.called} services each",
            time.monotonic() - began,
            CONVERGES_SECONDS,
        )
        judge.note("p99 of all calls meanwhile, before", f"{await during:.1f} ms, {baseline:.1f} ms")
        heaviest = max(resident_mib(plane.process.pid) for plane in stand.planes)
        judge.at_most("control plane's memory", heaviest, CONTROL_PLANE_MIB, "MiB")
        heaviest = max(resident_mib(one.process.pid) for one in [*stand.sidecars, *crowd])
        judge.at_most("a sidecar's memory", heaviest, SIDECAR_MIB, "MiB")

        times = []
        answered = sum(line.answered_bytes for line in lines)
        for seconds in range(3, 3 + EDITS):
            began, before = time.monotonic(), await stand.revision()
            (stand.scratch / "policies" / "ext-7.yaml").write_text(document(7, port, seconds=seconds))
            await until(applied(stand, after=before))
            times.append(time.monotonic() - began)
        judge.at_most(
            f"one policy then, applied by all, median of {EDITS}", median(times), ONE_CHANGE_SECONDS
        )
        each = (sum(line.answered_bytes for line in lines) - answered) / FLEET / EDITS
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


def compiled(stand: Stand) -> Condition:
    """Return the condition that every control plane has the resources of all services."""

    async def holds() -> bool:
        pages = [await scrape(plane.http) for plane in stand.planes]
        return all(page.total("breakwater_controlplane_resources") > 2 * SERVICES for page in pages)

    return holds


async def call_many(members: list[Sidecar], count: int) -> None:
    """Have each sidecar call so many services, until they answer: from then on it holds them."""
    gate = asyncio.Semaphore(CALLS_AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def call(member: Sidecar, number: int) -> None:
            answers = getting(session, f"http://127.0.0.1:{member.outbound}/", host=f"ext-{number}")
            async with gate:
                await until(answered(answers), timeout_seconds=PATIENCE_SECONDS)

        await asyncio.gather(*(call(member, number) for number in range(count) for member in members))


def answered(call: Call) -> Condition:
    """Return the condition that a call goes well: at first its configuration is on the way."""

    async def holds() -> bool:
        return await call() == HTTPStatus.OK

    return holds


async def p99_ms(traffic: Traffic, seconds: float) -> float:
    """Return the latency that one in a hundred calls exceeds, over some seconds from now."""
    before = traffic.mark()
    await traffic.more(seconds)
    ordered = sorted(traffic.latencies_ns(since=before))
    return ordered[int(0.99 * len(ordered))] / 1e6


def applied(stand: Stand, *, after: int) -> Condition:
    """Return the condition that all sidecars apply a revision newer than `after`."""
    converged = stand.converged(count=FLEET)

    async def holds() -> bool:
        statuses = [await plane.ask("GetStatus") for plane in stand.planes]
        is_offered = all(int(status["revision"]) > after for status in statuses)
        return is_offered and await converged()

    return holds
