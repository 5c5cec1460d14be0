"""A program started for a test: its log kept, its end certain."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.readiness import Condition, until

LOG_TAIL_CHARACTERS = 4000


class ProcessFailedError(Exception):
    """A program ended early, or was not ready in time; the message ends with its log's tail."""


class Process:
    """A running program, from `async with` entry to exit.

    Everything it writes goes to `log`, so that no pipe fills up. On exit it gets SIGTERM, and SIGKILL when
    it has not ended `grace_seconds` later.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        grace_seconds: float = 5,
    ) -> None:
        self._argv = tuple(map(str, argv))
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._directory = directory
        self._grace_seconds = grace_seconds
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the program; also again, after it has ended (its log goes on)."""
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._directory,
            )

    @property
    def child(self) -> asyncio.subprocess.Process:
        """The child as asyncio knows it; `start` must have run."""
        if self._child is None:
            raise ProcessFailedError(f"{self._argv[0]} was not started")
        return self._child

    @property
    def pid(self) -> int:
        """Its process id; stays readable after its end."""
        return self.child.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.child.returncode is None

    def output(self) -> str:
        """Return everything it wrote so far, both streams in the order of writing."""
        return self._log.read_text(errors="replace")

    def clear(self) -> None:
        """Forget what it wrote so far; it has ended."""
        self._log.write_bytes(b"")

    async def ready(self, condition: Condition, *, timeout_seconds: float = 30) -> None:
        """Return once `condition` holds.

        Raises:
            ProcessFailedError: The program ended, or the condition did not hold in time.
        """

        async def holds() -> bool:
            if not self.is_running:
                raise ProcessFailedError(
                    self._story(f"ended with {self.child.returncode} before it was ready")
                )
            return await condition()

        try:
            await until(holds, timeout_seconds=timeout_seconds)
        except TimeoutError as error:
            raise ProcessFailedError(self._story(f"was not ready within {timeout_seconds} s")) from error

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.is_running:
            self.child.send_signal(number)

    async def wait(self, *, timeout_seconds: float = 30) -> int:
        """Return its exit status, negative for the signal that ended it, once it has ended.

        Raises:
            TimeoutError: It still runs after `timeout_seconds`.
        """
        async with asyncio.timeout(timeout_seconds):
            return await self.child.wait()

    async def kill(self) -> None:
        """End it at once with SIGKILL."""
        self.send(signal.SIGKILL)
        await self.wait()

    def pause(self) -> None:
        """Stop it where it is, as a machine that is frozen does; its sockets stay."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    async def stop(self) -> int:
        """Return its exit status after SIGTERM, or SIGKILL when the grace is over."""
        self.send(signal.SIGTERM)
        self.resume()
        try:
            return await self.wait(timeout_seconds=self._grace_seconds)
        except TimeoutError:
            await self.kill()
            return await self.wait()

    def _story(self, what: str) -> str:
        return f"{' '.join(self._argv)} {what}\n{self.output()[-LOG_TAIL_CHARACTERS:]}"
