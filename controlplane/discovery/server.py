"""DiscoveryService: one stream per sidecar, read and written at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import grpc.aio
import structlog

from controlplane.discovery.codec import ResponseEncoder, Wish, decode_hello, decode_request
from controlplane.discovery.exchange import Acknowledgement
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.stream import Stream
from controlplane.errors import (
    DiscoveryError,
    DismissedError,
    ProtocolError,
    ReplacedError,
    TooManyResourcesError,
)
from mesh.v1 import discovery_pb2

if TYPE_CHECKING:
    from typing import TypeAlias

    Next: TypeAlias = Callable[[], bytes | None]
    Context: TypeAlias = grpc.aio.ServicerContext[discovery_pb2.DiscoveryRequest, bytes]
    Method: TypeAlias = grpc.RpcMethodHandler[discovery_pb2.DiscoveryRequest, bytes]

SERVICE = discovery_pb2.DESCRIPTOR.services_by_name["DiscoveryService"].full_name
_HELLO_SECONDS = 10
_CODES = {
    ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyResourcesError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReplacedError: grpc.StatusCode.ABORTED,
    DismissedError: grpc.StatusCode.UNAVAILABLE,
}

log = structlog.get_logger()


class DiscoveryServer:
    """Carries a fleet's responses to sidecars, and their acknowledgements back.

    `saw` is told the revision that each one comes with.
    """

    def __init__(self, fleet: Fleet, saw: Callable[[int], Awaitable[None]]) -> None:
        self._fleet = fleet
        self._saw = saw
        self._encoder = ResponseEncoder()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves DiscoveryService, by hand rather than generated, since responses are bytes already."""
        stream: Method = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=discovery_pb2.DiscoveryRequest.FromString
        )
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Stream": stream})
        server.add_generic_rpc_handlers((handler,))

    async def _stream(self, _: object, context: "Context") -> None:
        error: DiscoveryError | None = None
        try:
            await self._serve(context)
        except* DiscoveryError as errors:
            error = next(one for one in errors.exceptions if isinstance(one, DiscoveryError))
        if error:
            log.warning("stream refused", reason=str(error))
            await context.abort(_CODES[type(error)], str(error))

    async def _serve(self, context: "Context") -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                request = await _read(context)
        except TimeoutError as error:
            raise ProtocolError(f"expected hello within {_HELLO_SECONDS} s, found nothing") from error
        if request is None:
            return
        hello, held = decode_hello(request)
        await self._saw(hello.revision)
        await context.send_initial_metadata(())  # tells it that it is connected, though nothing may be new
        async with asyncio.TaskGroup() as tasks:
            with self._fleet.joined(hello, held) as stream:
                stream.line = _Line(context, tasks, partial(self._next, stream), hello.instance)
                log.info("sidecar connected", instance=hello.instance, version=hello.version, held=len(held))
                del request, held  # large, and the stream may last for days
                try:
                    while request := await _read(context):
                        self._take(stream, decode_request(request))
                        del request
                finally:
                    log.info("sidecar gone", instance=hello.instance, pushes=stream.pushes)

    def _take(self, stream: Stream, message: Wish | Acknowledgement) -> None:
        if isinstance(message, Wish):
            self._fleet.subscribe(stream, message)
            return
        for refusal in message.rejections:
            log.warning(
                "resource rejected",
                instance=stream.hello.instance,
                resource=str(refusal.resource),
                version=refusal.version,
                field=refusal.field_path,
                reason=refusal.reason,
            )
        self._fleet.acknowledge(stream, message)

    def _next(self, stream: Stream) -> bytes | None:
        response = self._fleet.respond(stream)
        return self._encoder.encode(response, self._fleet.desired.frame) if response else None


class _Line:
    """Carries responses to one sidecar; there is a task for it only while there is something to send."""

    def __init__(
        self, context: "Context", tasks: asyncio.TaskGroup, find_next: "Next", instance: str
    ) -> None:
        self._context = context
        self._tasks = tasks
        self._next = find_next
        self._instance = instance
        self._is_writing = False

    def wake(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._tasks.create_task(self._write())

    def end(self, error: DiscoveryError) -> None:
        self._tasks.create_task(_fail(error))

    async def _write(self) -> None:
        try:
            while message := self._next():
                await self._context.write(message)
        except grpc.aio.BaseError:
            log.debug("response not sent", instance=self._instance)  # whoever reads learns that it is gone
        finally:
            self._is_writing = False


async def _fail(error: DiscoveryError) -> None:
    raise error


async def _read(context: "Context") -> discovery_pb2.DiscoveryRequest | None:
    """The next request, or `None` when the sidecar ended the stream."""
    request: object = await context.read()
    return request if isinstance(request, discovery_pb2.DiscoveryRequest) else None
