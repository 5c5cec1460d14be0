"""Networks that swallow packets, in one direction or both."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.capture.programs import program


@asynccontextmanager
async def swallowing(*match: str, prefix: Sequence[str] = ()) -> AsyncIterator[None]:
    """Drop the TCP packets that match until the block ends; `match` is as iptables has it."""
    rule = ("INPUT", "-p", "tcp", *match, "-j", "DROP")
    iptables = (*prefix, str(await asyncio.to_thread(program, "iptables")), "-w")
    await command(*iptables, "-A", *rule)
    try:
        yield
    finally:
        await command(*iptables, "-D", *rule)


@asynccontextmanager
async def unreachable(port: int, *, towards: bool = True, back: bool = True) -> AsyncIterator[None]:
    """Swallow what goes towards a server on this loopback port, what comes back from it, or both."""
    async with AsyncExitStack() as cuts:
        if towards:
            await cuts.enter_async_context(swallowing("--dport", str(port)))
        if back:
            await cuts.enter_async_context(swallowing("--sport", str(port)))
        yield


async def command(*words: str) -> None:
    """Run one command to its end.

    Raises:
        OSError: It failed; the message is what it said.
    """
    child = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    _, talk = await child.communicate()
    if child.returncode:
        raise OSError(f"{' '.join(words)} ended with {child.returncode}: {talk.decode()}")
