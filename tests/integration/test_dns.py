"""Services that are found by name: a sidecar resolves them by itself, and forgets no address that it knew."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.v1 import sidecar_admin_pb2
from mesh.v1.sidecar_admin_pb2_grpc import SidecarAdminServiceStub
from tests.support.admin_socket import admin_socket
from tests.support.commandline import breakwater
from tests.support.dns import SILENCE, Addresses, Answer, Refusal, ScriptedDns
from tests.support.documents import resolved_service
from tests.support.fleet import Fleet, fleet, named
from tests.support.mesh import Sidecar
from tests.support.metrics import measured, scrape
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, that, until
from tests.support.refusal import refusal
from tests.support.state import CURRENT, words
from tests.support.upstream import ScriptedUpstream

HOST = "api.bank.example"
TTL_MIN_SECONDS = 5  # what is promised to name servers
CALLS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A sidecar that asks a scripted name server, and two upstreams at one port of two addresses."""

    mesh: Fleet
    sidecar: Sidecar
    dns: ScriptedDns
    first: ScriptedUpstream
    second: ScriptedUpstream

    async def call(self, times: int = CALLS, *, name: str = "bank") -> None:
        """Call the service, and fail with the first call that does."""
        for _ in range(times):
            assert (await fetch(self.sidecar.outbound, host=name)).status == 200

    async def hosts(self) -> dict[str, sidecar_admin_pb2.HostStatus]:
        """Return how the sidecar's host names stand."""
        async with admin_socket(self.sidecar.state) as channel:
            stub = SidecarAdminServiceStub(channel)
            answer = await stub.ListSidecarEndpoints(sidecar_admin_pb2.ListSidecarEndpointsRequest())
        return {one.host: one for one in answer.hosts}

    def resolved(self, *addresses: str, host: str = HOST) -> Condition:
        """Return the condition that a host has these addresses."""

        async def holds() -> bool:
            found = (await self.hosts()).get(host)
            return found is not None and tuple(found.addresses) == addresses

        return holds

    def failing(self, host: str = HOST) -> Condition:
        """Return the condition that lookups of a host have begun to fail."""

        async def holds() -> bool:
            return bool((await self.hosts())[host].failure)

        return holds


@asynccontextmanager
async def site(scratch: Path, answers: dict[str, Answer]) -> AsyncIterator[Site]:
    async with (
        ScriptedDns(answers) as dns,
        ScriptedUpstream(address="127.0.0.2") as first,
        ScriptedUpstream(address="127.0.0.3", port=first.port) as second,
        fleet(scratch) as mesh,
    ):
        caller = await mesh.join("test/caller", app_port=first.port, prefix=dns.prefix(scratch))
        yield Site(mesh=mesh, sidecar=caller, dns=dns, first=first, second=second)


async def test_a_name_that_stops_to_resolve_keeps_its_addresses(tmp_path: Path) -> None:
    async with site(tmp_path, {HOST: Addresses(("127.0.0.2", "127.0.0.3"), ttl=0)}) as here:
        await here.mesh.put("bank", resolved_service("bank", here.first.port, HOST))
        await here.call()
        assert here.first.requests
        assert here.second.requests
        assert here.dns.asked(HOST) <= 2, "each family once, although the answer may not be kept"

        here.dns.answers[HOST] = Refusal.SERVFAIL
        await until(here.failing())
        await here.call()
        assert list((await here.hosts())[HOST].addresses) == ["127.0.0.2", "127.0.0.3"]
        assert await measured(here.sidecar.http, "breakwater_dns_hosts", 1, state="stale")()
        assert (await scrape(here.sidecar.http)).total("breakwater_dns_lookups_total", result="server") > 0

        await until(that(lambda: HOST in words(here.sidecar.state / CURRENT)))
        await here.mesh.plane.process.kill()
        await here.sidecar.process.kill()
        await here.sidecar.process.start()
        await here.sidecar.ready()
        await here.call()

        here.first.forget()
        here.dns.answers[HOST] = Addresses(("127.0.0.3",))
        await until(here.resolved("127.0.0.3"))
        await here.call()
        assert not here.first.requests
        here.sidecar.process.send(signal.SIGTERM)
        assert await here.sidecar.process.wait() == 0


async def test_the_first_request_waits_for_a_name_no_longer_than_for_configuration(tmp_path: Path) -> None:
    names: dict[str, Answer] = {
        "late.example": Addresses(("127.0.0.2",), after_seconds=0.2),
        "silent.example": SILENCE,
        "gone.example": Refusal.NXDOMAIN,
        "metadata.example": Addresses(("169.254.169.254",)),
    }
    async with site(tmp_path, names) as here:
        port = here.first.port
        documents = [resolved_service(name.partition(".")[0], port, name) for name in names]
        await here.mesh.put("names", *documents)
        silent = asyncio.create_task(fetch(here.sidecar.outbound, host="silent"))
        await here.call(1, name="late")
        for name in ("gone", "metadata"):
            refused = refusal(await fetch(here.sidecar.outbound, host=name))
            assert (refused.status, refused.reason) == (503, "upstream.no_endpoints")
        assert refusal(await silent).reason == "upstream.no_endpoints"
        assert refusal(await fetch(here.sidecar.outbound, host="silent")).reason == "upstream.no_endpoints"
        hosts = await here.hosts()
        assert hosts["gone.example"].failure == "A: no such name (NXDOMAIN); AAAA: no such name (NXDOMAIN)"
        assert list(hosts["metadata.example"].refused) == ["169.254.169.254 is link-local"]

        asked = await here.mesh.ask("ListMeshEndpoints", {"service": named("test/metadata")})
        assert [one["address"] for one in asked["endpoints"]] == ["metadata.example"]
        assert [(one["instance"], one["host"]["host"]) for one in asked["hosts"]] == [
            ("test-caller", "metadata.example")
        ]
        shown = await breakwater("registry", "endpoints", "test/late", admin=here.mesh.plane.admin)
        assert re.search(r"late\.example +test-caller +127\.0\.0\.2 +\d+s +\d+s +-", shown.out)
