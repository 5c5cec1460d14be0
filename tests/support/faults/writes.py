"""Somebody who keeps writing policies, and remembers what was acknowledged."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode

from controlplane.cli.errors import CommandError, RefusedError
from tests.support.documents import resilience, service, text
from tests.support.faults.judge import Judge
from tests.support.mesh import ControlPlane
from tests.support.readiness import until

NAMES = 40
PERIOD_SECONDS = 0.1
PREFIX = "written-"
SHOWN_SECONDS = 5


@dataclass(slots=True)
class Writes:
    """What was tried: values that a name may have in the end, None if none, and how long each answer took."""

    allowed: dict[str, set[int | None]] = field(default_factory=dict)
    acknowledged_at: list[float] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    refused_seconds: list[float] = field(default_factory=list)
    answer_seconds: list[float] = field(default_factory=list)
    prefix: str = PREFIX

    @property
    def acknowledged(self) -> int:
        """How many were."""
        return len(self.acknowledged_at)

    @property
    def longest_gap(self) -> float:
        """The longest time without an acknowledgement, seconds."""
        pairs = zip(self.acknowledged_at, self.acknowledged_at[1:], strict=False)
        return max((after - before for before, after in pairs), default=0.0)

    def lost(self, policies: Iterable[dict[str, Any]]) -> list[str]:
        """Return the names whose last acknowledged value, or one tried since, is not among the policies."""
        ours = [one for one in policies if one["policy"]["metadata"]["name"].startswith(self.prefix)]
        found = {one["policy"]["metadata"]["name"]: _value(one) for one in ours}
        return [name for name, values in self.allowed.items() if found.get(name) not in values]


def _value(policy: dict[str, Any]) -> int:
    seconds = policy["policy"]["resilience"]["timeouts"]["request"]
    return round(float(seconds.removesuffix("s")))


def _kind(error: CommandError) -> str:
    """Return the gRPC code of a refusal."""
    if isinstance(error, RefusedError):
        return error.code
    return next((code.name for code in StatusCode if f"({code.name}:" in str(error)), str(error))


@asynccontextmanager
async def writing(planes: Sequence[ControlPlane], *, prefix: str = PREFIX) -> AsyncIterator[Writes]:
    """Write up to ten policies a second until the block ends, by turns through each control plane."""
    writes = Writes(prefix=prefix)
    running = asyncio.create_task(_write(planes, writes))
    try:
        yield writes
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _write(planes: Sequence[ControlPlane], writes: Writes) -> None:
    number = 0
    while True:
        number += 1
        await _one(planes[number % len(planes)], writes, f"{writes.prefix}{number % NAMES}", number)
        await asyncio.sleep(PERIOD_SECONDS)


async def _one(plane: ControlPlane, writes: Writes, name: str, value: int) -> None:
    clock = asyncio.get_running_loop()
    document = text(resilience(name, service(f"nobody-{name}"), timeouts={"request": f"{value}s"}))
    began = clock.time()
    writes.allowed.setdefault(name, {None}).add(value)  # unless it is acknowledged, it may be done or not
    try:
        await plane.ask("ApplyPolicies", {"manifests": [{"text": document}]})
    except CommandError as error:
        writes.refusals[_kind(error)] += 1
        writes.refused_seconds.append(clock.time() - began)
    else:
        writes.acknowledged_at.append(clock.time())
        writes.allowed[name] = {value}
    writes.answer_seconds.append(clock.time() - began)


async def judge_kept(judge: Judge, writes: Writes, planes: Sequence[ControlPlane]) -> None:
    """Judge that every control plane soon shows whatever was acknowledged."""
    for number, plane in enumerate(planes):
        lost: list[str] = []

        async def nothing_lost(plane: ControlPlane = plane, lost: list[str] = lost) -> bool:
            lost[:] = writes.lost((await plane.ask("ListPolicies"))["policies"])
            return not lost

        with suppress(TimeoutError):
            await until(nothing_lost, timeout_seconds=SHOWN_SECONDS)
        what = f"control plane {number} shows all acknowledged writes"
        judge.expect(what, f"{len(lost)} lost of {writes.acknowledged}", held=not lost)
