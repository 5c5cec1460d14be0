"""A clock that moves when the test says so."""

import asyncio
import heapq
from itertools import count


class FakeClock:
    """Monotonic time that stands still between calls to `advance`."""

    def __init__(self) -> None:
        self._now_ns = 1_000_000_000_000
        self._sleepers: list[tuple[int, int, asyncio.Event]] = []
        self._order = count()

    def now_ns(self) -> int:
        return self._now_ns

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self._now_ns + round(seconds * 1e9), next(self._order), woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        """Moves on by `seconds`, stopping at every instant that somebody sleeps until."""
        end_ns = self._now_ns + round(seconds * 1e9)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end_ns:
            wake_ns, _, woken = heapq.heappop(self._sleepers)
            self._now_ns = max(self._now_ns, wake_ns)
            woken.set()
            await _let_others_run()
        self._now_ns = end_ns

    def jump(self, seconds: float) -> None:
        """Moves on by `seconds` at once, as for a process that was stopped meanwhile."""
        self._now_ns += round(seconds * 1e9)


async def _let_others_run() -> None:
    # What a sleeper does next may take a thread, so this waits in real time, though briefly.
    for _ in range(5):
        await asyncio.sleep(0.001)
