"""Connections that are kept for a while only: sidecars go over from one live control plane to another."""

from pathlib import Path

import grpc.aio

from controlplane.listen import Lifetimes
from mesh.v1 import admin_pb2, registry_pb2
from registry.config import SqliteLocation
from registry.sqlite import open_sqlite
from tests.support.control_plane import Plane, Replicas, running_replicas
from tests.support.mesh import sidecar
from tests.support.metrics import scrape
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, until
from tests.support.upstream import ScriptedUpstream

SHORT = Lifetimes(age=3.0)
SERVICE = "test/callee"
ENOUGH_SECONDS = 60


async def test_what_a_sidecar_counts_is_counted_once_however_often_it_is_moved(tmp_path: Path) -> None:
    async with (
        open_sqlite(SqliteLocation(path=None)) as store,
        running_replicas(tmp_path, (store, store), SHORT) as replicas,
        ScriptedUpstream() as upstream,
        sidecar(tmp_path, SERVICE, app_port=upstream.port, discovery=ports(replicas)) as callee,
    ):
        await callee.ready()
        await until(is_registered(replicas.planes[0]))
        leases, sent = await leases_of(replicas.planes[0]), 0

        async def has_counted_at_both() -> bool:
            nonlocal sent
            assert (await fetch(callee.inbound, host="callee")).status == 200
            sent += 1
            counts = [await counted(plane) for plane in replicas.planes]
            assert sum(counts) <= sent, counts
            return min(counts) > 1

        await until(has_counted_at_both, timeout_seconds=ENOUGH_SECONDS)

        async def is_all_counted() -> bool:
            total = sum([await counted(plane) for plane in replicas.planes])
            assert total <= sent
            return total == sent

        await until(is_all_counted)
        assert await leases_of(replicas.planes[0]) == leases


def ports(replicas: Replicas) -> list[int]:
    """Where sidecars reach the control planes."""
    return [plane.bound.listen.port for plane in replicas.planes]


async def counted(plane: Plane) -> float:
    """The requests to the service that one control plane has counted."""
    page = await scrape(plane.bound.http.port)
    return page.total("breakwater_requests_total", direction="inbound", service=SERVICE)


async def leases_of(plane: Plane) -> list[int]:
    """What the instances of the service are there by."""
    namespace, _, name = SERVICE.partition("/")
    service = registry_pb2.ServiceName(namespace=namespace, name=name)
    try:
        request = admin_pb2.ListMeshEndpointsRequest(service=service)
        return [one.lease_id for one in (await plane.admin.ListMeshEndpoints(request)).leases]
    except grpc.aio.AioRpcError:
        return []  # nobody has registered it yet


def is_registered(plane: Plane) -> Condition:
    async def holds() -> bool:
        return bool(await leases_of(plane))

    return holds
