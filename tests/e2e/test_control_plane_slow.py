"""A control plane that is slow, or stands still, holds up nobody."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from registry.config import GRACE_SECONDS
from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.line import Line, line_to
from tests.support.faults.outage import connected_to, went_over
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane
from tests.support.readiness import until

LAG_SECONDS = 2
IN_FORCE_SECONDS = 15
CONVERGES_SECONDS = 10
NOTICED_SECONDS = 30


@pytest.mark.fault("F4 control planes 2 s late")
async def test_late_control_planes_fail_nobody(tmp_path: Path, judge: Judge) -> None:
    lines: list[Line] = []

    @asynccontextmanager
    async def door(plane: ControlPlane) -> AsyncIterator[int]:
        async with line_to(plane.discovery) as line:
            lines.append(line)
            yield line.port

    async with trial(tmp_path, judge, door=door) as running:
        stand = running.stand
        for line in lines:
            line.seconds = LAG_SECONDS
        at, began = time.time(), time.monotonic()
        for requests in (10_001, 10_002, 10_003):
            await stand.quota(requests)
        await until(stand.enforces(10_003), timeout_seconds=2 * IN_FORCE_SECONDS)
        judge.at_most("three edits are in force", time.monotonic() - began, IN_FORCE_SECONDS)
        await running.traffic.more(10)
        lost = sum(
            len(events(one.process, "control plane not connected", since=at)) for one in stand.sidecars
        )
        judge.expect("no stream is given up", f"{lost} lost", held=lost == 0)


@pytest.mark.fault("F4 one control plane stands still")
async def test_a_paused_control_plane_is_left_for_the_other(
    tmp_path: Path, judge: Judge, lengths: Lengths
) -> None:
    async with trial(tmp_path, judge) as running:
        stand, at = running.stand, time.time()
        paused, other = stand.planes
        held = connected_to(paused)
        paused.process.pause()
        await until(went_over(other, held, at), timeout_seconds=2 * NOTICED_SECONDS)
        judge.at_most(f"its {len(held)} sidecars go over", time.time() - at, NOTICED_SECONDS)
        await stand.quota(10_001, plane=other)
        await until(stand.enforces(10_001))
        await running.traffic.more(max(1, lengths.pause - (time.time() - at)))
        resumed = time.time()
        paused.process.resume()
        await running.traffic.more(5)
        again = [len(events(one.process, "configuration applied", since=resumed)) for one in stand.sidecars]
        judge.expect("nothing is applied twice", f"{sum(again)} applied again", held=sum(again) == 0)


@pytest.mark.fault("F4 all control planes stand still")
async def test_registrations_outlive_a_standstill(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with trial(tmp_path, judge) as running:
        stand = running.stand
        for plane in stand.planes:
            plane.process.pause()
        await running.traffic.more(lengths.pause)
        left = len(await stand.etcd.members[0].leases())
        judge.note("leases of etcd left by then", left)
        for plane in stand.planes:
            plane.process.resume()
        began = time.monotonic()
        await stand.converge()
        judge.at_most("all converge", time.monotonic() - began, CONVERGES_SECONDS)
        await running.traffic.more(GRACE_SECONDS + 5)
