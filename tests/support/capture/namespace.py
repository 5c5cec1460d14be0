"""A network namespace that ends with the test: a thread that is in it opens sockets there for everybody."""

import asyncio
import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

CLONE_NEWNET = 0x40000000
APPLICATION_USER = 1000
"""Whose sockets those of applications are; programs run as root."""

Result = TypeVar("Result")


class Namespace:
    """A network namespace; `prefix` goes before a command that runs in it."""

    def __init__(self, thread: ThreadPoolExecutor, handle: int) -> None:
        self._thread = thread
        self.path = Path(f"/proc/{os.getpid()}/fd/{handle}")

    @property
    def prefix(self) -> tuple[str, ...]:
        """What goes before a command that runs in it."""
        return ("nsenter", f"--net={self.path}")

    def run(self, *words: str | Path) -> str:
        """Return what a command says that runs in it.

        Raises:
            OSError: It failed; the message is what it said.
        """
        done = subprocess.run((*self.prefix, *map(str, words)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def within(self, act: Callable[[], Result]) -> Result:
        """Return what `act` does in the namespace, as the user of applications."""
        return self._thread.submit(act).result()

    def listen(self, address: str, port: int) -> socket.socket:
        """Return a socket that listens."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.within(lambda: socket.create_server((address, port), family=family))

    async def connect(self, address: str, port: int) -> socket.socket:
        """Return a socket that is connected.

        Raises:
            OSError: Nobody accepts there.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = self.within(lambda: socket.socket(family, socket.SOCK_STREAM))
        found.setblocking(False)  # noqa: FBT003 (the socket's own signature)
        try:
            await asyncio.get_running_loop().sock_connect(found, (address, port))
        except OSError:
            found.close()
            raise
        return found


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace with nothing but loopback; it is gone when nothing is left in it.

    Raises:
        PermissionError: This user may not; what needs namespaces runs as root.
    """
    with ThreadPoolExecutor(1) as thread:
        handle = thread.submit(_enter).result()
        try:
            made = Namespace(thread, handle)
            made.run("ip", "link", "set", "lo", "up")
            yield made
        finally:
            os.close(handle)


def _enter() -> int:
    """Move this thread into a namespace of its own, as the user of applications; returns its handle."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise PermissionError(
            f"run this as root: it needs network namespaces ({os.strerror(ctypes.get_errno())})"
        )
    handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc.setfsuid(APPLICATION_USER)
    return handle
