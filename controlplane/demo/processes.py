"""The demo's processes: started, waited for, killed and restarted, each by its own id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from controlplane.demo.errors import DemoError
from controlplane.demo.topology import HOST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LAST_LINES = 15


def free_port() -> int:
    """Return a port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Return whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


@dataclass(slots=True)
class Process:
    """One child, with its output in a log file."""

    name: str
    command: Sequence[str]
    log: Path
    _child: asyncio.subprocess.Process | None = field(default=None)

    @property
    def pid(self) -> int:
        """Return the process id.

        Raises:
            DemoError: it is not running.
        """
        if self._child is None:
            raise DemoError(f"{self.name} is not running")
        return self._child.pid

    async def start(self) -> None:
        """Start it; its output is appended to its log."""
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end; after a while, kill."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)
        try:
            async with asyncio.timeout(10):
                await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await self._child.wait()
        self._child = None

    def resident_megabytes(self) -> float:
        """Return resident memory in MB of 1,024 KiB, as the kernel counts it."""
        status = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii")
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def check(self) -> None:
        """Raise with the end of the log when the process has ended by itself.

        Raises:
            DemoError: it has.
        """
        if self._child is not None and self._child.returncode is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            tail = "\n  ".join(lines)
            raise DemoError(
                f"{self.name} ended with {self._child.returncode}; its log {self.log} ends:\n  {tail}"
            )


async def until(
    condition: Callable[[], Awaitable[bool]],
    what: str,
    *,
    processes: Sequence[Process] = (),
    seconds: float = _PATIENCE_SECONDS,
) -> float:
    """Wait until a condition holds, and return the seconds it took.

    Raises:
        DemoError: it did not hold in time, or one of the processes ended.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not await condition():
        for process in processes:
            process.check()
        if loop.time() - start > seconds:
            raise DemoError(f"waited {seconds:.0f} s for {what}, in vain")
        await asyncio.sleep(_POLL_SECONDS)
    return loop.time() - start
