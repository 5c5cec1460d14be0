"""RegistryService: registrations come in, the catalogue goes out."""

import math
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from grpc.aio import Server, ServicerContext

from mesh.v1 import registry_pb2 as pb
from mesh.v1.registry_pb2_grpc import RegistryServiceServicer, add_RegistryServiceServicer_to_server
from registry.catalog import Catalog
from registry.codec import (
    decode_health,
    decode_name,
    decode_register_request,
    decode_ttl,
    encode_endpoint,
    encode_name,
    encode_service,
)
from registry.config import LEASE_SECONDS_MAX, LEASE_SECONDS_MIN
from registry.errors import InvalidRegistrationError, LeaseNotFoundError, RegistryError
from registry.live import LiveCatalog
from registry.model import InstanceId, LeaseId, Problem, Revision, ServiceName
from registry.registrar import Registrar
from registry.status import encode_status

_T = TypeVar("_T")
_Context = ServicerContext[Any, Any]


class RegistryService(RegistryServiceServicer):
    """Serves a registrar and a live catalogue over gRPC."""

    def __init__(self, registrar: Registrar, live: LiveCatalog) -> None:
        self._registrar = registrar
        self._live = live

    def add_to(self, server: Server) -> None:
        """Serves RegistryService."""
        add_RegistryServiceServicer_to_server(self, server)

    async def Register(self, request: pb.RegisterRequest, context: _Context) -> pb.RegisterResponse:
        """Enters or replaces one instance of a service, under a new lease."""
        return await _answer(context, self._register(request))

    async def Deregister(self, request: pb.DeregisterRequest, context: _Context) -> pb.DeregisterResponse:
        """Removes one instance at once."""
        await _answer(context, self._registrar.deregister(LeaseId(request.lease_id)))
        return pb.DeregisterResponse()

    async def KeepAlive(
        self,
        request_iterator: AsyncIterator[pb.KeepAliveRequest],
        context: _Context,
    ) -> AsyncIterator[pb.KeepAliveResponse]:
        """Renews leases: each message renews one, and is answered with the time left."""
        async for request in request_iterator:
            yield await _answer(context, self._keep_alive(LeaseId(request.lease_id)))

    async def ReportHealth(
        self, request: pb.ReportHealthRequest, context: _Context
    ) -> pb.ReportHealthResponse:
        """Changes the verdict on one instance that is registered, under the lease that it has."""
        await _answer(context, self._report_health(request))
        return pb.ReportHealthResponse()

    async def ListServices(
        self, request: pb.ListServicesRequest, context: _Context
    ) -> pb.ListServicesResponse:
        """Lists services with their contracts."""
        del context
        services = [
            encode_service(service, with_endpoints=False)
            for name, service in self._live.catalog.services.items()
            if request.namespace in {"", name.namespace}
        ]
        return pb.ListServicesResponse(services=services)

    async def ListEndpoints(
        self, request: pb.ListEndpointsRequest, context: _Context
    ) -> pb.ListEndpointsResponse:
        """Lists the endpoints of one service; none when it is unknown."""
        del context
        service = self._live.catalog.services.get(decode_name(request.service))
        endpoints = service.endpoints if service else ()
        return pb.ListEndpointsResponse(endpoints=map(encode_endpoint, endpoints))

    async def Watch(self, request: pb.WatchRequest, context: _Context) -> AsyncIterator[pb.WatchResponse]:
        """Sends every service that changes, whole, and marks."""
        del context
        async for response in watch(self._live, request.namespace, Revision(request.after_revision)):
            yield response

    async def _register(self, request: pb.RegisterRequest) -> pb.RegisterResponse:
        lease = await self._registrar.register(decode_register_request(request), _ttl_seconds(request))
        return pb.RegisterResponse(lease_id=lease.id, ttl=Duration(seconds=lease.ttl_seconds))

    async def _report_health(self, request: pb.ReportHealthRequest) -> None:
        await self._registrar.report_health(
            decode_name(request.service),
            InstanceId(request.instance),
            LeaseId(request.lease_id),
            decode_health(request.health),
        )

    async def _keep_alive(self, lease_id: LeaseId) -> pb.KeepAliveResponse:
        try:
            lease = await self._registrar.keep_alive(lease_id)
        except LeaseNotFoundError:
            return pb.KeepAliveResponse(lease_id=lease_id, ttl=Duration())
        return pb.KeepAliveResponse(lease_id=lease_id, ttl=Duration(seconds=lease.ttl_seconds))


async def watch(live: LiveCatalog, namespace: str, after: Revision) -> AsyncIterator[pb.WatchResponse]:
    """All services, or those that changed after a revision; then each that changes, with marks.

    Of a namespace, or of every one. That others are gone is said only once the view is settled.
    """
    with live.watch() as watching:
        changed = live.changed_after(after) if after else None
        owes_all = changed is None
        names: Iterable[ServiceName] = live.catalog.services if changed is None else changed
        while True:
            is_all = owes_all and live.is_settled
            owes_all = owes_all and not is_all
            mark = pb.MARK_ALL if is_all else pb.MARK_CHANGES
            for response in _responses(live.catalog, names, namespace, mark):
                yield response
            changes = await anext(watching)
            names = changes.services | changes.endpoints


def _responses(
    catalog: Catalog, names: Iterable[ServiceName], namespace: str, mark: pb.Mark.ValueType
) -> Iterator[pb.WatchResponse]:
    """Services whole, sorted, and the mark after them."""
    for name in sorted(names):
        if namespace in {"", name.namespace}:
            yield _watch_response(catalog, name)
    yield pb.WatchResponse(mark=mark, revision=catalog.revision)


async def _answer(context: _Context, call: Awaitable[_T]) -> _T:
    """What `call` returns; ends the RPC with the status of what it raises."""
    try:
        return await call
    except RegistryError as error:
        await context.abort_with_status(encode_status(error))


def _ttl_seconds(request: pb.RegisterRequest) -> int:
    seconds = decode_ttl(request)
    if not LEASE_SECONDS_MIN <= seconds <= LEASE_SECONDS_MAX:
        message = f"expected {LEASE_SECONDS_MIN}s to {LEASE_SECONDS_MAX}s, found {seconds:g}s"
        raise InvalidRegistrationError([Problem(path="ttl", message=message)])
    return math.ceil(seconds)


def _watch_response(catalog: Catalog, name: ServiceName) -> pb.WatchResponse:
    service = catalog.services.get(name)
    if not service:
        gone = pb.Service(name=encode_name(name))
        return pb.WatchResponse(service=gone, removed=True, revision=catalog.revision)
    return pb.WatchResponse(service=encode_service(service, with_endpoints=True), revision=catalog.revision)
