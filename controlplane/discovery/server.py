"""DiscoveryService: one stream per sidecar, read and written at the same time."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc.aio
import structlog

from controlplane.discovery.codec import Wish, decode_hello, decode_request, encode_response
from controlplane.discovery.fleet import Fleet
from controlplane.discovery.stream import Stream
from controlplane.discovery.subscription import Acknowledgement
from controlplane.errors import DiscoveryError, ProtocolError, ReplacedError, TooManyResourcesError
from mesh.v1 import discovery_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeAlias

    Requests: TypeAlias = AsyncIterator[discovery_pb2.DiscoveryRequest]
    Context: TypeAlias = grpc.aio.ServicerContext[discovery_pb2.DiscoveryRequest, bytes]
    Method: TypeAlias = grpc.RpcMethodHandler[discovery_pb2.DiscoveryRequest, bytes]

SERVICE = discovery_pb2.DESCRIPTOR.services_by_name["DiscoveryService"].full_name
_HELLO_SECONDS = 10
_CODES = {
    ProtocolError: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyResourcesError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ReplacedError: grpc.StatusCode.ABORTED,
}

log = structlog.get_logger()


class DiscoveryServer:
    """Carries a fleet's responses to sidecars, and their acknowledgements back.

    `saw` is told the revision that each one comes with.
    """

    def __init__(self, fleet: Fleet, saw: Callable[[int], None]) -> None:
        self._fleet = fleet
        self._saw = saw

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves DiscoveryService, by hand rather than generated, since responses are bytes already."""
        stream: Method = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=discovery_pb2.DiscoveryRequest.FromString
        )
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Stream": stream})
        server.add_generic_rpc_handlers((handler,))

    async def _stream(self, requests: "Requests", context: "Context") -> None:
        error: DiscoveryError | None = None
        try:
            await self._serve(requests, context)
        except* DiscoveryError as errors:
            error = next(one for one in errors.exceptions if isinstance(one, DiscoveryError))
        if error:
            log.warning("stream refused", reason=str(error))
            await context.abort(_CODES[type(error)], str(error))

    async def _serve(self, requests: "Requests", context: "Context") -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                request = await anext(requests, None)
        except TimeoutError as error:
            raise ProtocolError(f"expected hello within {_HELLO_SECONDS} s, found nothing") from error
        if request is None:
            return
        hello, held = decode_hello(request)
        self._saw(hello.revision)
        await context.send_initial_metadata(())  # tells it that it is connected, though nothing may be new
        with self._fleet.joined(hello, held) as stream:
            log.info("sidecar connected", instance=hello.instance, version=hello.version, held=len(held))
            try:
                await self._exchange(stream, requests, context)
            finally:
                log.info("sidecar gone", instance=hello.instance, pushes=stream.pushes)

    async def _exchange(self, stream: Stream, requests: "Requests", context: "Context") -> None:
        async with asyncio.TaskGroup() as tasks:
            others = [tasks.create_task(self._write(stream, context)), tasks.create_task(_replaced(stream))]
            async for request in requests:
                self._take(stream, decode_request(request))
            for task in others:
                task.cancel()

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

    async def _write(self, stream: Stream, context: "Context") -> None:
        while True:
            await stream.wake.wait()
            stream.wake.clear()
            if response := self._fleet.respond(stream):
                await context.write(encode_response(response, self._fleet.desired.frame))


async def _replaced(stream: Stream) -> None:
    await stream.replaced.wait()
    raise ReplacedError(stream.hello.instance)
