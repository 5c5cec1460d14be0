"""The monotonic clock, as something that is handed in."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells and waits for monotonic time."""

    def now_ns(self) -> int:
        """The instant, in nanoseconds since some fixed point."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`, or later if the process was held up."""
        ...


class MonotonicClock:
    """The clock of the machine."""

    def now_ns(self) -> int:
        """The instant, in nanoseconds since some fixed point."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`, or later if the process was held up."""
        await asyncio.sleep(seconds)
