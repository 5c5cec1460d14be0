"""The leader of etcd is cut off from its clients, then from its peers: nobody is told what is not so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from registry.config import parse_location
from registry.model import Revision
from registry.opening import open_store
from registry.store import Store
from tests.support.etcd import Cluster, Place
from tests.support.faults.fencing import candidates, fences
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.network import Host, apart, deaf, hosts
from tests.support.faults.trial import trial
from tests.support.linearizable import Client, History

CLIENTS = 4
PAUSE_SECONDS = 0.1
PORTS = {"client": 2379, "peer": 2380, "metrics": 2381}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Clients that note whatever they do, a store to ask afterwards, and the revision at which all began."""

    store: Store
    since: Revision
    history: History = field(default_factory=History)


@pytest.mark.fault("F11 etcd partitioned")
@pytest.mark.timeout(600)
async def test_a_partitioned_etcd_tells_nobody_what_is_not_so(
    tmp_path: Path, judge: Judge, lengths: Lengths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKWATER_INSECURE", "true")  # etcd is off loopback here
    async with hosts("etcd-0", "etcd-1", "etcd-2") as members:
        where = [Place(name=one.name, address=one.address, prefix=one.prefix, **PORTS) for one in members]
        async with trial(tmp_path, judge, where=where) as running, witnesses(running.stand.etcd) as seen:
            await running.traffic.more(3)
            for what, cut in CUTS.items():
                before = seen.history.writes_done()
                async with cut(await ranked(running.stand.etcd, members)):
                    await running.traffic.more(lengths.partition)
                done = seen.history.writes_done() - before
                judge.expect(f"the leader apart from {what}: writes go on", f"{done} done", held=done > 0)
                await running.traffic.more(3)
            noted, is_so = len(seen.history.operations), await seen.history.is_linearizable()
            judge.expect("porcupine explains all that clients saw", f"{noted} operations", held=is_so)
            order = await fences(seen.store, seen.since)
            leaders = len(set(order))
            is_fenced = leaders > 1 and order == sorted(order)
            told = f"{len(order)} writes of {leaders} leaders"
            judge.expect("no leader writes after its successor", told, held=is_fenced)


@asynccontextmanager
async def witnesses(etcd: Cluster) -> AsyncIterator[Witnesses]:
    """Let clients and candidates work until the block ends; the first candidate knows the leader alone."""
    everybody, leader = parse_location(etcd.location), parse_location((await etcd.leader()).location)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(everybody)) for _ in range(CLIENTS)]
        seen = Witnesses(store=stores[0], since=(await stores[0].list("/faults/")).revision)
        await stack.enter_async_context(candidates([leader, everybody]))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for number, store in enumerate(stores):
            tasks.create_task(Client(number, store, seen.history, PAUSE_SECONDS).run(stop))
        try:
            yield seen
        finally:
            stop.set()


async def ranked(etcd: Cluster, members: tuple[Host, ...]) -> list[Host]:
    """Return the hosts of the members, the leader's first."""
    leader = await etcd.leader()
    return sorted(members, key=lambda host: host.name != leader.place.name)


def from_clients(ranks: list[Host]) -> AbstractAsyncContextManager[None]:
    """Return the cut between the leader and whoever calls it."""
    return deaf(ranks[0], PORTS["client"])


def from_peers(ranks: list[Host]) -> AbstractAsyncContextManager[None]:
    """Return the cut between the leader and the other members."""
    return apart(ranks[0], ranks[1:])


CUTS = {"clients": from_clients, "peers": from_peers}
