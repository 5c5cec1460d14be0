"""How a resource is listed, without a server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import Call
from controlplane.kubernetes.resources import PODS
from controlplane.kubernetes.watch import Reflector

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api

REFUSALS, PAGES = 5, 4


@dataclass(slots=True)
class Server:
    """Refuses so many requests, and has empty pages then."""

    refusals: int = REFUSALS

    async def call(self, call: Call) -> bytes:
        if self.refusals:
            self.refusals -= 1
            raise KubernetesError("busy", status=500)
        number = int(call.query.get("continue", "0")) + 1
        more = str(number) if number < PAGES else ""
        return msgspec.json.encode({"metadata": {"resourceVersion": "7", "continue": more}})

    async def watch(self, _: Call, *, silence_seconds: float) -> AsyncIterator[bytes]:
        await asyncio.sleep(silence_seconds)
        yield b""


@dataclass(slots=True)
class Hasty:
    """A clock on which nobody waits; `slept` is for how long they would have."""

    slept: list[float] = field(default_factory=list)

    def now_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_pages_follow_each_other_at_once_also_after_failures() -> None:
    clock = Hasty()
    reflector = Reflector(cast("Api", Server()), PODS, lambda _: None, clock)
    running = asyncio.create_task(reflector.run())
    await asyncio.wait_for(reflector.synced(), 60)
    running.cancel()
    await asyncio.wait([running])
    assert len(clock.slept) == REFUSALS + len(["before the watch"])
