"""DiscoveryService: one stream per sidecar, read and written at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING

import grpc.aio
import structlog

from controlplane import caller
from controlplane.discovery.codec import ResponseEncoder, Wish, decode_hello, decode_request
from controlplane.discovery.exchange import Acknowledgement
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.stream import Stream
from controlplane.errors import (
    DiscoveryError,
    DismissedError,
    ImpersonationError,
    ProtocolError,
    ReplacedError,
    TooManyResourcesError,
)
from controlplane.model.resource import ResourceName, Version
from controlplane.model.sidecar import Hello
from mesh.v1 import discovery_pb2

if TYPE_CHECKING:
    from typing import TypeAlias

    Next: TypeAlias = Callable[[], bytes | None]
    Context: TypeAlias = grpc.aio.ServicerContext[discovery_pb2.DiscoveryRequest, bytes]
    Writing: TypeAlias = Coroutine[asyncio.Future[None], None, None]
    Method: TypeAlias = grpc.RpcMethodHandler[discovery_pb2.DiscoveryRequest, bytes]

SERVICE = discovery_pb2.DESCRIPTOR.services_by_name["DiscoveryService"].full_name
_HELLO_SECONDS = 10
_CODES = {
    ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyResourcesError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReplacedError: grpc.StatusCode.ABORTED,
    DismissedError: grpc.StatusCode.UNAVAILABLE,
    ImpersonationError: grpc.StatusCode.PERMISSION_DENIED,
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
        try:
            hello, held = await _greeting(context)
            caller.check_instance(hello.instance)
            caller.check_namespaces(service.namespace for service in hello.services)
            await self._saw(hello.revision)
            await context.send_initial_metadata(())  # it is connected, though nothing may be new
            stream = self._fleet.join(hello, held)
            log.info("sidecar connected", instance=hello.instance, version=hello.version, held=len(held))
            del hello, held  # large, and the stream may last for days
            await self._serve(context, stream)
        except DiscoveryError as error:
            log.warning("stream refused", reason=str(error))
            await context.abort(_CODES[type(error)], str(error))

    async def _serve(self, context: "Context", stream: Stream) -> None:
        stream.line = line = _Line(context, partial(self._next, stream), stream.hello.instance)
        try:
            while isinstance(request := await context.read(), discovery_pb2.DiscoveryRequest):
                self._take(stream, decode_request(request))
                del request
        except asyncio.CancelledError:
            line.raise_for_end()
            raise
        finally:
            line.close()
            self._fleet.leave(stream)
            log.info("sidecar gone", instance=stream.hello.instance, pushes=stream.pushes)

    def _take(self, stream: Stream, message: Wish | Acknowledgement) -> None:
        if isinstance(message, Wish):
            caller.check_wanted(message.wanted)
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
        return self._encoder.encode(response, self._fleet.desired.get) if response else None


class _Line:
    """Carries responses to one sidecar.

    The library's coroutine that writes one is advanced by hand: a change has a write to every sidecar, and a
    task for each would cost as much as the writing, and let the first answers hold up the last writes.
    """

    __slots__ = ("_context", "_error", "_instance", "_is_awake", "_next", "_reader", "_writing")

    def __init__(self, context: "Context", find_next: "Next", instance: str) -> None:
        self._context = context
        self._next = find_next
        self._instance = instance
        self._reader = asyncio.current_task()
        self._writing: Writing | None = None
        self._is_awake = False
        self._error: DiscoveryError | None = None

    def wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            asyncio.get_running_loop().call_soon(self._write)

    def end(self, error: DiscoveryError) -> None:
        self._error = error
        self._end_reader()

    def raise_for_end(self) -> None:
        """Raises what the stream was ended with, if it was ended from here."""
        if self._error:
            raise self._error

    def close(self) -> None:
        """Writes nothing more."""
        writing, self._reader, self._writing = self._writing, None, None
        if writing:
            writing.close()

    def _write(self, _: object = None) -> None:
        """Writes all there is; when the library has to wait, it calls this again after that."""
        try:
            while self._begins():
                if waited_for := self._advance():
                    waited_for.add_done_callback(self._write)
                    return
        except grpc.aio.BaseError:
            log.debug("response not sent", instance=self._instance)  # whoever reads learns that it is gone
        except BaseException:
            self._end_reader()
            raise
        self._writing, self._is_awake = None, False

    def _begins(self) -> bool:
        """Whether something is being written, which may begin with this."""
        if self._reader and self._writing is None and (message := self._next()):
            self._writing = self._context.write(message)
        return self._writing is not None

    def _advance(self) -> "asyncio.Future[None] | None":
        """What the library has to wait for before the write is complete, if it is not."""
        try:
            return self._writing.send(None) if self._writing else None
        except StopIteration:
            self._writing = None
            return None

    def _end_reader(self) -> None:
        if self._reader:
            self._reader.cancel()


async def _greeting(context: "Context") -> tuple[Hello, dict[ResourceName, Version]]:
    """Who opened the stream, and what it holds; it has to say so at once."""
    try:
        async with asyncio.timeout(_HELLO_SECONDS):
            request: object = await context.read()
    except TimeoutError as error:
        raise ProtocolError(f"expected hello within {_HELLO_SECONDS} s, found nothing") from error
    if not isinstance(request, discovery_pb2.DiscoveryRequest):
        raise ProtocolError("expected hello, found the end of the stream")
    return decode_hello(request)
