"""A client of RegistryService, for tools."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from grpc.aio import AioRpcError, Channel

from mesh.v1 import registry_pb2 as pb
from mesh.v1.registry_pb2_grpc import RegistryServiceStub
from registry.codec import (
    decode_endpoint,
    decode_service,
    encode_health_request,
    encode_name,
    encode_register_request,
)
from registry.config import LEASE_SECONDS
from registry.errors import LeaseNotFoundError
from registry.model import (
    Endpoint,
    Health,
    InstanceId,
    Lease,
    LeaseId,
    Registration,
    Revision,
    ServiceName,
    ServiceView,
)
from registry.store import ABSENT

_DEADLINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """A service as of `revision`, which is also when it `is_removed` if it is."""

    service: ServiceView
    is_removed: bool
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """All that changed up to `revision` has been told; with `is_all`, what was not told since is gone."""

    is_all: bool
    revision: Revision


class RegistryClient:
    """Calls a registry over a channel that the caller owns.

    Every method raises `grpc.aio.AioRpcError` with what the server answers instead.
    """

    def __init__(self, channel: Channel) -> None:
        self._stub = RegistryServiceStub(channel)

    async def register(self, registration: Registration, ttl_seconds: int = LEASE_SECONDS) -> Lease:
        """The lease under which the instance is registered from now on."""
        request = encode_register_request(registration, ttl_seconds)
        response = await self._stub.Register(request, timeout=_DEADLINE_SECONDS)
        return Lease(id=LeaseId(response.lease_id), ttl_seconds=response.ttl.seconds)

    async def deregister(self, lease_id: LeaseId) -> None:
        """Removes what is registered under the lease."""
        await self._stub.Deregister(pb.DeregisterRequest(lease_id=lease_id), timeout=_DEADLINE_SECONDS)

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again.

        Raises:
            LeaseNotFoundError: the registry has no such lease.
        """
        requests = iter([pb.KeepAliveRequest(lease_id=lease_id)])
        async for response in self._stub.KeepAlive(requests, timeout=_DEADLINE_SECONDS):
            if response.ttl != Duration():
                return Lease(id=lease_id, ttl_seconds=response.ttl.seconds)
        raise LeaseNotFoundError(lease_id)

    async def report_health(
        self, service: ServiceName, instance: InstanceId, lease_id: LeaseId, health: Health
    ) -> None:
        """Changes the verdict on an instance that is registered under the lease.

        Raises:
            LeaseNotFoundError: the registry has no such instance under it.
        """
        request = encode_health_request(service, instance, lease_id, health)
        try:
            await self._stub.ReportHealth(request, timeout=_DEADLINE_SECONDS)
        except AioRpcError as error:
            if error.code() is StatusCode.NOT_FOUND:
                raise LeaseNotFoundError(lease_id) from error
            raise

    async def list_services(self, namespace: str = "") -> tuple[ServiceView, ...]:
        """Services without their endpoints, sorted by name; of every namespace when none is given."""
        request = pb.ListServicesRequest(namespace=namespace)
        response = await self._stub.ListServices(request, timeout=_DEADLINE_SECONDS)
        return tuple(map(decode_service, response.services))

    async def list_endpoints(self, service: ServiceName) -> tuple[Endpoint, ...]:
        """Endpoints of a service, sorted by instance; none when it is unknown."""
        request = pb.ListEndpointsRequest(service=encode_name(service))
        response = await self._stub.ListEndpoints(request, timeout=_DEADLINE_SECONDS)
        return tuple(map(decode_endpoint, response.endpoints))

    async def watch(
        self, namespace: str = "", after: Revision = ABSENT
    ) -> AsyncGenerator[ServiceChange | Mark, None]:
        """Every service there is, then every one that changes, whole.

        With the revision of the last mark, even of another control plane, only what changed since, if that is
        known; the next mark says which it was.
        """
        async for response in self._stub.Watch(pb.WatchRequest(namespace=namespace, after_revision=after)):
            yield _mark(response) if response.mark else _change(response)


def _mark(response: pb.WatchResponse) -> Mark:
    return Mark(is_all=response.mark == pb.MARK_ALL, revision=Revision(response.revision))


def _change(response: pb.WatchResponse) -> ServiceChange:
    return ServiceChange(
        service=decode_service(response.service),
        is_removed=response.removed,
        revision=Revision(response.revision),
    )
