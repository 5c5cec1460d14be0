"""The light sidecars: a program of its own, told what to do line by line (`tests/bench/fleet`)."""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from tests.bench.controlplane.world import Sidecar
from tests.bench.site import FLEET_PROGRAM

Standing: TypeAlias = Literal["connected", "complete", "applied"]

PATIENCE_SECONDS = 60.0
_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What all light sidecars saw since counting began; instants are of the monotonic clock, zero for never.

    `connected`, `complete` and `applied` are sidecars that got so far, each with the instant of the last.
    """

    now_ns: int
    connected: int
    connected_ns: int
    complete: int
    complete_ns: int
    applied: int
    applied_ns: int
    responses: int
    resources: int
    reports: int
    lost: int
    first_ns: int
    last_ns: int
    last_applied_ns: int
    bytes: int
    most_bytes: int
    lags: int
    lag_p50_ns: int
    lag_p99_ns: int
    lag_max_ns: int
    why_lost: str

    def reached(self, standing: Standing) -> int:
        """Return how many sidecars got so far."""
        return {"connected": self.connected, "complete": self.complete, "applied": self.applied}[standing]


class LateError(Exception):
    """Not all sidecars got as far as they should in time."""


class Lights:
    """The running program and its sidecars."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def begin(self) -> None:
        """Count from zero."""
        self._tell("begin")

    def connect(self, port: int, *, accompanied: bool = False) -> None:
        """Connect all at once, anew if they were; accompanied by the streams that a real one has beside."""
        self._tell(f"connect 127.0.0.1:{port} {'accompanied' if accompanied else 'alone'}")

    async def reached(self, standing: Standing, count: int) -> Tally:
        """Return the figures once that many sidecars got so far.

        Raises:
            LateError: They did not in time.
        """
        tally = await self._ask(f"await {standing} {count} {PATIENCE_SECONDS * 1000:.0f}")
        if tally.reached(standing) < count:
            raise LateError(f"{tally.reached(standing)} of {count} sidecars are {standing}: {tally}")
        return tally

    async def report(self) -> Tally:
        """Return the figures as they are."""
        return await self._ask("report")

    async def _ask(self, line: str) -> Tally:
        self._tell(line)
        assert self._process.stdout is not None
        answer = json.loads(await self._process.stdout.readline())
        return Tally(**{field.name: answer[field.name] for field in fields(Tally)})

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def light_sidecars(sidecars: Iterable[Sidecar]) -> AsyncIterator[Lights]:
    """Start the program with its sidecars, none connected yet; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        FLEET_PROGRAM, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=_LINE_BYTES
    )
    lights = Lights(process)
    for one in sidecars:
        lights._tell(f"sidecar {one.instance} {one.service} {' '.join(one.hosts)}")
    try:
        yield lights
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
