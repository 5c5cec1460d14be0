"""Stores for the contract suite: how to open each, and how to open it again after its process ended."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from registry.clock import Clock, MonotonicClock
from registry.config import StoreOptions, parse_location
from registry.opening import open_store
from registry.store import Store
from tests.support.clock import FakeClock

HISTORY_REVISIONS = 50


class Time(Clock, Protocol):
    """A clock, and how a test lets time pass."""

    async def advance(self, seconds: float) -> None: ...

    def jump(self, seconds: float) -> None: ...


Opener = Callable[[Clock], AbstractAsyncContextManager[Store]]


class RealTime(MonotonicClock):
    """Time that passes by itself, for a store whose leases another process ends."""

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump(self, seconds: float) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One implementation: what `--store` says, FOLDER and ETCD standing for the test's own.

    An embedded one lives in our process: it takes its time from the test, and forgets its history by itself.
    """

    name: str
    location: str
    is_embedded: bool = True
    is_durable: bool = True
    lease_seconds: int = 5

    def time(self) -> Time:
        """What a test lets pass."""
        return FakeClock() if self.is_embedded else RealTime()


def opener(location: str) -> Opener:
    """Opens the store at `location`, as often as a test likes."""
    options = StoreOptions(history_revisions=HISTORY_REVISIONS)
    return lambda clock: open_store(parse_location(location), clock=clock, options=options)


EMBEDDED = (
    StoreKind(name="sqlite-file", location="sqlite:FOLDER/registry.db"),
    StoreKind(name="sqlite-memory", location="sqlite::memory:", is_durable=False),
)
ETCD = StoreKind(name="etcd", location="ETCD", is_embedded=False, lease_seconds=1)
KINDS = (*EMBEDDED, ETCD)


def only(kinds: Iterable[StoreKind]) -> pytest.MarkDecorator:
    """Has a test run over some implementations alone."""
    return pytest.mark.parametrize("kind", list(kinds), ids=lambda kind: kind.name)
