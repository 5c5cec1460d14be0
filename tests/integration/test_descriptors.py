"""A sidecar with few descriptors: traffic leaves enough of them to those who look after the sidecar."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesh.v1 import sidecar_admin_pb2
from mesh.v1.sidecar_admin_pb2_grpc import SidecarAdminServiceStub
from tests.support.admin_socket import admin_socket
from tests.support.documents import external, external_service, resilience
from tests.support.fleet import Fleet, fleet
from tests.support.mesh import Sidecar, sidecar
from tests.support.metrics import scrape
from tests.support.rawclient import RawClient, fetch
from tests.support.readiness import that, until
from tests.support.state import CURRENT
from tests.support.upstream import OK, ScriptedUpstream, Until

LIMIT = 256
PLACES = 95  # half of what 64 and two listeners leave
PAIRS = PLACES - PLACES // 8  # those are kept for callers of the workload
CLIENTS = 1_000
LIMITED = ("prlimit", f"--nofile={LIMIT}:{LIMIT}")


@dataclass(frozen=True, slots=True)
class Short:
    """A sidecar that may have `LIMIT` descriptors, and the fleet that it is in."""

    fleet: Fleet
    sidecar: Sidecar

    @property
    def descriptors(self) -> int:
        """How many it has now."""
        return len(list(Path(f"/proc/{self.sidecar.process.pid}/fd").iterdir()))

    async def missed(self) -> float:
        """Return how many connections have found no room."""
        metrics = await scrape(self.sidecar.http)
        return sum(
            metrics.total("breakwater_overflows_total", table=name) for name in ("connections", "descriptors")
        )

    async def may_call(self, name: str, port: int) -> None:
        """Add an external service; returns once the sidecar has taken it up."""
        policy = resilience(name, external(name), timeouts={"request": "60s"})
        await self.fleet.put(name, external_service(name, port), policy)


@pytest.fixture
async def short(tmp_path: Path) -> AsyncIterator[Short]:
    """A caller with few descriptors; the test itself may have as many as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with ScriptedUpstream() as app, fleet(tmp_path) as mesh:
        starting = sidecar(
            tmp_path, "test/caller", app_port=app.port, discovery=mesh.plane.discovery, prefix=LIMITED
        )
        member = await mesh.members.enter_async_context(starting)
        await member.ready()
        yield Short(mesh, member)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def calls(clients: AsyncExitStack, port: int, *, host: str, count: int) -> list[RawClient]:
    """Return clients that have each sent one request, on connections of their own."""
    opened = [await clients.enter_async_context(RawClient(port)) for _ in range(count)]
    await asyncio.gather(*(client.ask(host=host) for client in opened))
    return opened


async def test_a_thousand_clients_lock_out_nobody_who_looks_after_the_sidecar(short: Short) -> None:
    gate, caller = asyncio.Event(), short.sidecar
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, AsyncExitStack() as clients:
        await short.may_call("held", upstream.port)
        before = short.descriptors
        await calls(clients, caller.outbound, host="held", count=CLIENTS)

        async def is_full() -> bool:
            return await short.missed() == CLIENTS - PAIRS and len(upstream.requests) == PAIRS

        await until(is_full)
        assert before < short.descriptors < LIMIT
        saved = (caller.state / CURRENT).read_bytes()
        await short.fleet.put("held", external_service("held", upstream.port))
        await until(that(lambda: (caller.state / CURRENT).read_bytes() != saved))
        assert await told(caller) == await short.fleet.revision()

        upstream.answer = lambda _: OK
        await clients.aclose()
        assert (await fetch(caller.outbound, host="held")).status == 200
        await until(that(lambda: short.descriptors <= before + 1))
        gate.set()
    assert "panicked" not in caller.process.output()


async def told(member: Sidecar) -> int:
    """Return the revision that a sidecar says at its socket that it applies."""
    async with admin_socket(member.state) as channel:
        stub = SidecarAdminServiceStub(channel)
        answer = await stub.GetConfiguration(sidecar_admin_pb2.GetConfigurationRequest())
    return int(answer.revision)


async def test_connections_that_rest_make_room_for_those_that_are_needed(short: Short) -> None:
    async with ScriptedUpstream() as early, ScriptedUpstream() as late:
        await all_at_once(short, "early", early)
        await all_at_once(short, "late", late)
        assert await short.missed() == 0
        assert sum(log.is_open for log in early.connections) < PAIRS


async def all_at_once(short: Short, name: str, upstream: ScriptedUpstream) -> None:
    """Have as many clients call an external service as there is room for, all in the same moment."""
    gate = asyncio.Event()
    upstream.answer = lambda _: (Until(gate), *OK)
    await short.may_call(name, upstream.port)
    async with AsyncExitStack() as clients:
        opened = await calls(clients, short.sidecar.outbound, host=name, count=PAIRS)
        await until(that(lambda: len(upstream.requests) == PAIRS))
        gate.set()
        assert [(await client.response()).status for client in opened] == [200] * PAIRS
