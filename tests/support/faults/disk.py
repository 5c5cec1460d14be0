"""Disks that are slow, full or read-only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.faults.partition import command
from tests.support.process import Process
from tests.support.readiness import Condition, that, until

FILLER = "filler"


@asynccontextmanager
async def slow_disk(processes: Sequence[Process], scratch: Path, *, seconds: float) -> AsyncIterator[None]:
    """Let every flush to disk of these processes take that long until the block ends."""
    inject = f"inject=fdatasync:delay_exit={round(seconds * 1e6)}"
    async with AsyncExitStack() as stack:
        for process in processes:
            log = scratch / f"strace-{process.pid}.log"
            words = ("strace", "-f", "-e", "trace=fdatasync", "-e", inject, "-p", str(process.pid))
            tracer = await stack.enter_async_context(Process(words, log=log))
            await until(_attached(tracer))
        yield


def _attached(tracer: Process) -> Condition:
    return that(lambda: "attached" in tracer.output())


@asynccontextmanager
async def small_disk(folder: Path, *, mebibytes: int = 1) -> AsyncIterator[None]:
    """Mount a disk of its own at a folder, which is made, until the block ends."""
    await command("mkdir", "-p", str(folder))
    await command("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        await command("umount", "--lazy", str(folder))


def fill_disk(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def free_disk(folder: Path) -> None:
    """Give the space back."""
    (folder / FILLER).unlink()


async def make_read_only(folder: Path) -> None:
    """Let nothing be written there any more."""
    await command("mount", "-o", "remount,ro", str(folder))


async def make_writable(folder: Path) -> None:
    """Let it be written again."""
    await command("mount", "-o", "remount,rw", str(folder))
