"""A value of which only the newest matters, and those who wait for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Newest(Generic[_T]):
    """The newest of the values that one task sets, for any number of others."""

    def __init__(self, value: _T) -> None:
        self._value = value
        self._changed = asyncio.Event()

    @property
    def value(self) -> _T:
        """The newest value."""
        return self._value

    def set(self, value: _T) -> None:
        """Replaces it, and wakes all who wait."""
        self._value = value
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[_T], bool]) -> _T:
        """The newest value, once `holds` is true of it."""
        while not holds(self._value):
            await self._changed.wait()
        return self._value

    async def watch(self) -> AsyncIterator[_T]:
        """The newest value, and again whenever it is another; what a slow reader misses is skipped."""
        while True:
            seen = self._value
            yield seen
            await self.until(lambda value: value is not seen)  # noqa: B023  # awaited before `seen` changes
