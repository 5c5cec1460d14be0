"""Members that hold one store together, from start to end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.etcd.member import READY_TIMEOUT_SECONDS, Credentials, Member
from tests.support.etcd.options import Options, Place, places
from tests.support.etcd.tools import tool
from tests.support.process import Process
from tests.support.readiness import until

MEMBERS = 3


class Cluster:
    """Members that hold one store together, from `async with` entry to exit."""

    def __init__(self, folder: Path, where: Sequence[Place], options: Options) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        credentials = Credentials()
        self.members = tuple(_member(folder, place, where, options, credentials) for place in where)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for member in self.members:
                await stack.enter_async_context(member.process)
            for member in self.members:
                await member.ready()
            self._ends = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._ends.aclose()

    @property
    def location(self) -> str:
        """What `--store` takes."""
        return f"etcd://{','.join(member.endpoint for member in self.members)}"

    async def leader(self) -> Member:
        """Return the member that leads, once there is one.

        Raises:
            TimeoutError: Nobody led in time.
        """
        found: list[Member] = []

        async def somebody_leads() -> bool:
            claims = await asyncio.gather(*(member.leads() for member in self.members))
            found[:] = [member for member, leads in zip(self.members, claims, strict=True) if leads]
            return len(found) == 1

        await until(somebody_leads, timeout_seconds=READY_TIMEOUT_SECONDS)
        return found[0]

    async def followers(self) -> tuple[Member, ...]:
        """Return the members that do not lead, once one does."""
        leader = await self.leader()
        return tuple(member for member in self.members if member is not leader)

    async def ready(self) -> None:
        """Return once every member is.

        Raises:
            ProcessFailedError: One ended, or was not ready in time.
        """
        for member in self.members:
            await member.ready()


@asynccontextmanager
async def one_member(folder: Path, options: Options | None = None) -> AsyncIterator[Member]:
    """Run a single member on loopback, with its data and log in `folder`."""
    async with Cluster(folder, await asyncio.to_thread(_ready_places, 1), options or Options()) as cluster:
        yield cluster.members[0]


@asynccontextmanager
async def three_members(
    folder: Path, options: Options | None = None, *, where: Sequence[Place] | None = None
) -> AsyncIterator[Cluster]:
    """Run a cluster of three, on loopback unless told where, with their data and logs in `folder`."""
    on_loopback = await asyncio.to_thread(_ready_places, MEMBERS)
    async with Cluster(folder, where or on_loopback, options or Options()) as cluster:
        yield cluster


def _ready_places(count: int) -> tuple[Place, ...]:
    """Return free places, taken after the programs are built: a build takes long enough to lose them."""
    tool("etcd")
    return places(count)


def _member(
    folder: Path, place: Place, where: Sequence[Place], options: Options, credentials: Credentials
) -> Member:
    client = f"{options.scheme}://{place.endpoint}"
    peer = f"http://{place.address}:{place.peer}"
    command = (
        *(*place.prefix, str(tool("etcd")), f"--name={place.name}", f"--data-dir={folder / place.name}"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
        f"--initial-cluster={','.join(f'{p.name}=http://{p.address}:{p.peer}' for p in where)}",
        f"--listen-metrics-urls=http://{place.address}:{place.metrics}",
        *options.flags(),
    )
    process = Process(command, log=folder / f"{place.name}.log")
    return Member(place=place, options=options, folder=folder, process=process, credentials=credentials)
