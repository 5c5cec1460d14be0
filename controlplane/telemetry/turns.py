"""One after the other, each in a turn of the event loop of its own.

Taking a report is the longest step on the loop, and all sidecars send one when they connect. In turns they
leave the loop to whatever else is ready, such as a push, after each.
"""

import asyncio


class Turns:
    """Gives turns in the order in which they were asked for."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        """Returns in a turn of the loop in which nobody else's wait returns."""
        async with self._lock:
            await asyncio.sleep(0)
