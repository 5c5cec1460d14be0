"""Turns on the event loop."""

import asyncio

from controlplane.telemetry.turns import Turns


async def test_between_two_turns_others_run() -> None:
    turns = Turns()
    seen: list[str] = []

    async def take(name: str) -> None:
        await turns.wait()
        seen.append(name)
        asyncio.get_running_loop().call_soon(seen.append, "other")

    await asyncio.gather(*(take(name) for name in "abc"))
    assert seen[:5] == ["a", "other", "b", "other", "c"]
