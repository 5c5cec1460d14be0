"""What a sidecar's socket serves beside its own administration: health and reflection."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from mesh.v1 import sidecar_admin_pb2
from tests.support.admin_socket import OPTIONS, admin_socket
from tests.support.caller import Caller
from tests.support.mesh import sidecar
from tests.support.ports import free_port
from tests.support.readiness import answering

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICE = "mesh.v1.SidecarAdminService"
ANSWERS = health_pb2.HealthCheckResponse


async def health(state: Path, service: str) -> int:
    async with admin_socket(state) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer: health_pb2.HealthCheckResponse = await stub.Check(
            health_pb2.HealthCheckRequest(service=service)
        )
    return answer.status


async def test_a_sidecar_with_a_configuration_is_serving(caller: Caller) -> None:
    assert await health(caller.sidecar.state, "") == ANSWERS.SERVING
    assert await health(caller.sidecar.state, SERVICE) == ANSWERS.SERVING


async def test_without_one_it_can_be_asked_and_is_not_serving(tmp_path: Path) -> None:
    async with sidecar(tmp_path, "test/early", app_port=9, discovery=free_port()) as early:
        await early.process.ready(answering(early.http, path="/live"))
        assert await health(early.state, "") == ANSWERS.NOT_SERVING
        assert await health(early.state, SERVICE) == ANSWERS.SERVING


async def test_reflection_tells_the_contract_and_all_that_it_imports(caller: Caller) -> None:
    told = await asyncio.to_thread(reflected, caller.sidecar.state)
    own = sidecar_admin_pb2.DESCRIPTOR.services_by_name["SidecarAdminService"]
    assert told == {
        SERVICE: [method.name for method in own.methods],
        "grpc.health.v1.Health": ["Check", "Watch"],
        "grpc.reflection.v1alpha.ServerReflection": ["ServerReflectionInfo"],
    }


def reflected(state: Path) -> dict[str, list[str]]:
    """Return the methods of each service, from what the socket says alone."""
    with grpc.insecure_channel(f"unix:{state / 'admin.sock'}", options=OPTIONS) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        services = {name: pool.FindServiceByName(name) for name in database.get_services()}
        return {name: [method.name for method in service.methods] for name, service in services.items()}
