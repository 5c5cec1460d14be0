"""How far a watch has come, for those who wait for it."""

import asyncio

from registry.model import Revision


class Progress:
    """A revision that only grows."""

    def __init__(self, revision: Revision) -> None:
        self._revision = revision
        self._moved = asyncio.Event()

    def has_reached(self, revision: Revision) -> bool:
        """Whether it is at `revision` or past it."""
        return self._revision >= revision

    def advance(self, revision: Revision) -> None:
        """Moves to `revision`, and tells those who wait."""
        if revision > self._revision:
            self._revision = revision
            self._moved.set()
            self._moved = asyncio.Event()

    async def reach(self, revision: Revision) -> None:
        """Returns once it is at `revision` or past it."""
        while not self.has_reached(revision):
            await self._moved.wait()
