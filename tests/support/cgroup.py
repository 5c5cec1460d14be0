"""Files like those of a cgroup (v2), which say what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

QUOTA_US, PERIOD_US = 200_000, 100_000
LIMIT_BYTES = 1_000_000


class Cgroup:
    """A cgroup that may use two processors and a megabyte, and uses nothing."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self._spent_us = 0
        self._write("cpu.max", f"{QUOTA_US} {PERIOD_US}")
        self._write("memory.max", str(LIMIT_BYTES))
        self._spend(0)
        self.memory(0)
        self.pressure(0)

    @property
    def flags(self) -> tuple[str, str]:
        """Flags that have a sidecar watch it."""
        return "--cgroup", str(self.directory)

    def memory(self, percent: float) -> None:
        """Use so much of its memory, besides a quarter that could be reclaimed."""
        self._write("memory.stat", f"anon 1\ninactive_file {LIMIT_BYTES // 4}")
        self._write("memory.current", str(int(LIMIT_BYTES * percent / 100) + LIMIT_BYTES // 4))

    def pressure(self, percent: float) -> None:
        """Have some task wait for memory in so much of the last ten seconds."""
        self._write("memory.pressure", f"some avg10={percent:.2f} avg60=0.00 avg300=0.00 total=0")

    def forget(self, file: str) -> None:
        """Be without one of the files."""
        (self.directory / file).unlink()

    @asynccontextmanager
    async def busy(self, percent: float) -> AsyncIterator[None]:
        """Use so much of its processor time meanwhile."""
        task = asyncio.create_task(self._run(percent / 100 * QUOTA_US / PERIOD_US))
        try:
            yield
        finally:
            task.cancel()

    async def _run(self, processors: float) -> None:
        clock = asyncio.get_running_loop().time
        began, before_us = clock(), self._spent_us
        while True:
            self._spend(before_us + int((clock() - began) * processors * 1e6))
            await asyncio.sleep(0.02)

    def _spend(self, spent_us: int) -> None:
        self._spent_us = spent_us
        self._write("cpu.stat", f"usage_usec {spent_us}\nuser_usec {spent_us}")

    def _write(self, file: str, content: str) -> None:
        """Replace a file whole: who reads it meanwhile sees the one or the other."""
        draft = self.directory / f"{file}.draft"
        draft.write_text(f"{content}\n")
        draft.replace(self.directory / file)
