"""Endpoints, policies and sidecars that come and go, and what is left of them afterwards."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc.aio

from registry.client import RegistryClient
from registry.model import ServiceName
from tests.support.desired import outbound
from tests.support.documents import resilience, service
from tests.support.faults.census import connections_to, descriptors, resident_mib
from tests.support.faults.stand import Stand
from tests.support.light_sidecar import light_sidecar
from tests.support.metrics import scrape
from tests.support.process import Process
from tests.support.readiness import Condition
from tests.support.registrations import registration

PASSING = ServiceName(namespace="test", name="passing")
NAMES = 20
STEP_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """All that control planes and sidecars hold, and the leases of etcd.

    Without the connections that sidecars keep to their applications: they rest there for minutes, as many as
    were ever needed at once.
    """

    descriptors: int
    tasks: int
    leases: int

    def __str__(self) -> str:
        return f"{self.descriptors} descriptors, {self.tasks} tasks, {self.leases} leases"


async def census(stand: Stand) -> Census:
    """Count what is held now."""
    pages = [await scrape(plane.http) for plane in stand.planes]
    held = sum(descriptors(process.pid) for process in _processes(stand).values())
    resting = connections_to({workload.app.port for workload in stand.workloads})
    return Census(
        descriptors=held - resting,
        tasks=round(sum(page.total("breakwater_controlplane_tasks") for page in pages)),
        leases=len(await stand.etcd.members[0].leases()),
    )


def returned(stand: Stand, baseline: Census, seen: list[Census]) -> Condition:
    """Return the condition that exactly as much is held as before; `seen` gets what is held now."""

    async def holds() -> bool:
        seen[:] = [await census(stand)]
        return seen == [baseline]

    return holds


def weights(stand: Stand) -> dict[str, float]:
    """Return the resident memory of every control plane and sidecar, MiB."""
    return {name: resident_mib(process.pid) for name, process in _processes(stand).items()}


def _processes(stand: Stand) -> dict[str, Process]:
    planes = {f"controlplane-{number}": plane.process for number, plane in enumerate(stand.planes)}
    return planes | {sidecar.state.name: sidecar.process for sidecar in stand.sidecars}


async def churn(stand: Stand, seconds: float) -> None:
    """Let endpoints, policies and streams come and go for a while; in the end all of them are gone."""
    clock = asyncio.get_running_loop()
    ends = clock.time() + seconds
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{plane.discovery}"))
            for plane in stand.planes
        ]
        number = 0
        while clock.time() < ends:
            async with asyncio.timeout(STEP_TIMEOUT_SECONDS):
                await _step(stand, channels[number % len(channels)], number)
            number += 1


async def _step(stand: Stand, channel: grpc.aio.Channel, number: int) -> None:
    """Let one of each come, live for a moment and go."""
    registry, name = RegistryClient(channel), f"passing-{number % NAMES}"
    lease = await registry.register(registration(name, service=PASSING))
    await stand.apply(resilience(name, service("shaken"), timeouts={"request": "4s"}))
    async with light_sidecar(channel, name, outbound("test/shaken"), services=["test/light"]) as light:
        await light.until(lambda one: bool(one.held))
    await stand.plane.ask("DeletePolicy", {"kind": "ResiliencePolicy", "namespace": "test", "name": name})
    await registry.deregister(lease.id)
