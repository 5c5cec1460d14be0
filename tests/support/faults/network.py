"""Hosts of their own, joined by a bridge: what passes between two of them can be cut."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.support.faults.partition import command, swallowing

BRIDGE, NET = "bridge", "10.77.0"


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace with an address; `prefix` goes before a command that runs there."""

    name: str
    address: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What goes before a command that runs there."""
        return ("ip", "netns", "exec", self.name)


@asynccontextmanager
async def hosts(*names: str) -> AsyncIterator[tuple[Host, ...]]:
    """Make hosts that reach each other and us until the block ends; we have an address of that net, too."""
    await command("ip", "link", "add", BRIDGE, "type", "bridge")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(command, "ip", "link", "delete", BRIDGE)
        await command("ip", "address", "add", f"{NET}.1/24", "dev", BRIDGE)
        await command("ip", "link", "set", BRIDGE, "up")
        made = [Host(name, f"{NET}.{number}") for number, name in enumerate(names, start=10)]
        for host in made:
            await _make(host)
            stack.push_async_callback(command, "ip", "netns", "delete", host.name)
        yield tuple(made)


async def _make(host: Host) -> None:
    ours = f"to-{host.name}"
    await command("ip", "netns", "add", host.name)
    await command("ip", "link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    await command("ip", "link", "set", ours, "master", BRIDGE, "up")
    for words in (("address", "add", f"{host.address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
        await command("ip", "-n", host.name, *words)
    await command("ip", "-n", host.name, "link", "set", "lo", "up")


@asynccontextmanager
async def apart(host: Host, others: Sequence[Host]) -> AsyncIterator[None]:
    """Swallow whatever passes between a host and others until the block ends."""
    async with AsyncExitStack() as cuts:
        for other in others:
            await cuts.enter_async_context(swallowing("-s", other.address, prefix=host.prefix))
            await cuts.enter_async_context(swallowing("-s", host.address, prefix=other.prefix))
        yield


@asynccontextmanager
async def deaf(host: Host, port: int) -> AsyncIterator[None]:
    """Swallow whatever reaches a port of a host until the block ends."""
    async with swallowing("--dport", str(port), prefix=host.prefix):
        yield
