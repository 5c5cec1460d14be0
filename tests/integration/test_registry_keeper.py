"""Workloads without a sidecar: the example of the page as it is written, and what keeps a registration."""

import re
import signal
import sys
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from registry.client import RegistryClient
from registry.keeper import kept
from registry.model import Health, Lease, LeaseId
from tests.support.fleet import fleet
from tests.support.process import Process
from tests.support.rawclient import fetch
from tests.support.readiness import no_longer, that, until
from tests.support.registrations import CART, registration
from tests.support.registry import served, until_listed
from tests.support.upstream import ScriptedUpstream

PAGE = Path(__file__).parents[2] / "docs" / "registration.md"


async def test_the_example_of_the_page_is_called_by_the_mesh(tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    async with ScriptedUpstream() as printer, fleet(tmp_path) as mesh:
        caller = await mesh.join("test/caller", app_port=printer.port)
        program = example.replace("9100", str(printer.port)).replace("15010", str(mesh.plane.discovery))
        async with Process((sys.executable, "-c", program), log=tmp_path / "printer.log") as running:
            await running.ready(that(lambda: "test/printer ['printer-1']" in running.output()))
            assert (await fetch(caller.outbound, host="printer")).status == 200
            assert "test/caller ['test-caller']" in running.output()
            running.send(signal.SIGINT)
            await until(no_longer(mesh.has_endpoint("test/printer")))


async def test_an_instance_is_registered_while_the_block_runs() -> None:
    async with served() as registry:
        async with kept(registry.client, registration("a"), clock=registry.clock) as instance:
            await registry.clock.advance(60)
            (endpoint,) = await registry.client.list_endpoints(CART)
            assert endpoint.instance == "a"
            await instance.report_health(Health.UNHEALTHY)
        await until_gone(registry.client)


async def test_an_instance_that_the_registry_lost_is_registered_anew_as_it_is_now() -> None:
    async with (
        served() as registry,
        kept(registry.client, registration("a"), clock=registry.clock) as instance,
    ):
        await registry.client.deregister(instance.lease.id)
        await until_gone(registry.client)
        await instance.report_health(Health.UNHEALTHY)
        await until_listed(registry.client, CART, "a")
        await registry.client.deregister(instance.lease.id)
        await registry.clock.advance(10)
        await until_listed(registry.client, CART, "a")
        (endpoint,) = await registry.client.list_endpoints(CART)
        assert endpoint.health is Health.UNHEALTHY


async def test_an_instance_outlives_renewals_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        served() as registry,
        kept(registry.client, registration("a"), clock=registry.clock) as instance,
    ):
        renew, failures, lease = registry.client.keep_alive, iter(range(3)), instance.lease

        async def fail_first(lease_id: LeaseId) -> Lease:
            if next(failures, None) is None:
                return await renew(lease_id)
            raise AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata())

        monkeypatch.setattr(registry.client, "keep_alive", fail_first)
        await registry.clock.advance(16)
        assert [one.instance for one in await registry.client.list_endpoints(CART)] == ["a"]
        assert instance.lease == lease


async def until_gone(client: RegistryClient) -> None:
    """Wait until nobody is registered."""

    async def holds() -> bool:
        return await client.list_services() == ()

    await until(holds)
