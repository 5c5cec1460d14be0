"""Memory that was freed is given back, again and again."""

import asyncio
import ctypes
from types import SimpleNamespace

import pytest

from controlplane.heap import EVERY_SECONDS, give_back
from registry.background import running
from tests.support.clock import FakeClock


async def test_what_is_free_is_given_back_again_and_again() -> None:
    clock, asked = FakeClock(), list[int]()

    def trim(kept_bytes: int) -> int:
        asked.append(kept_bytes)
        return 1

    async with running(give_back(clock, trim)):
        await clock.advance(3 * EVERY_SECONDS)
    assert asked == [0, 0, 0]


async def test_the_c_library_is_asked_unless_somebody_else_is() -> None:
    clock = FakeClock()
    async with running(give_back(clock)):
        await clock.advance(2 * EVERY_SECONDS)


async def test_a_c_library_that_gives_nothing_back_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    async with asyncio.timeout(30):
        await give_back(FakeClock())
