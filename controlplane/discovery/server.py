"""DiscoveryService: one stream per sidecar."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
from google.protobuf.message import DecodeError

from controlplane import caller
from controlplane.caller import CALLER
from controlplane.discovery.carrier import Carrier
from controlplane.discovery.codec import ResponseEncoder, Wish, decode_hello, decode_request
from controlplane.discovery.exchange import Acknowledgement
from controlplane.errors import ProtocolError
from mesh.v1 import discovery_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from controlplane.caller import Identify
    from controlplane.discovery.carrier import Fanout
    from controlplane.discovery.fleet import Fleet
    from controlplane.discovery.session import Session
    from controlplane.discovery.stream import Stream

log = structlog.get_logger()


class DiscoveryServer:
    """Carries a fleet's responses to sidecars, and their acknowledgements back.

    `saw` is told the revision that each one comes with; `identify` says who it is.
    """

    name: Final = discovery_pb2.DESCRIPTOR.services_by_name["DiscoveryService"].full_name
    method: Final = "Stream"

    def __init__(self, fleet: Fleet, saw: Callable[[int], Awaitable[None]], identify: Identify) -> None:
        self._fleet = fleet
        self._saw = saw
        self._identify = identify
        self._encoder = ResponseEncoder()
        self._carrier: Carrier

    @asynccontextmanager
    async def carried(self, fanout: Fanout) -> AsyncIterator[None]:
        """Serves the streams of a fan-out, until the block ends."""
        async with asyncio.TaskGroup() as greetings:
            self._carrier = Carrier(fanout, self, greetings)
            try:
                yield
            finally:
                self._carrier.close()

    async def greet(self, session: Session, token: str) -> None:
        """Joins a stream to the fleet, once it is known whose it is."""
        session.identity = await self._identify(token)
        CALLER.set(session.identity)
        hello, held = decode_hello(_parse(await session.first()))
        caller.check_instance(hello.instance)
        caller.check_account(hello.service_account)
        caller.check_namespaces(service.namespace for service in hello.services)
        await self._saw(hello.revision)
        session.stream = stream = self._fleet.join(hello, held)
        stream.line = session
        log.info("sidecar connected", instance=hello.instance, version=hello.version, held=len(held))
        self._carrier.accept(session)

    def take(self, session: Session, message: bytes) -> None:
        """Takes what a sidecar wants, or what became of a response."""
        if session.stream is None:
            return
        CALLER.set(session.identity)
        match decode_request(_parse(message)):
            case Wish() as wish:
                caller.check_wanted(wish.wanted)
                self._fleet.subscribe(session.stream, wish)
            case Acknowledgement() as ack:
                _tell(session.stream, ack)
                self._fleet.acknowledge(session.stream, ack)

    def find_next(self, session: Session) -> bytes | None:
        """The response to send to a sidecar now, if there is one."""
        if session.stream is None:
            return None
        response = self._fleet.respond(session.stream)
        return self._encoder.encode(response, self._fleet.desired.get) if response else None

    def leave(self, session: Session) -> None:
        """A stream is over."""
        stream, session.stream = session.stream, None
        if stream:
            self._fleet.leave(stream)
            log.info("sidecar gone", instance=stream.hello.instance, pushes=stream.pushes)


def _parse(message: bytes) -> discovery_pb2.DiscoveryRequest:
    try:
        return discovery_pb2.DiscoveryRequest.FromString(message)
    except DecodeError as error:
        raise ProtocolError("expected a DiscoveryRequest, found other bytes") from error


def _tell(stream: Stream, ack: Acknowledgement) -> None:
    """Logs what was refused of a response that was sent."""
    response = stream.state.unconfirmed.get(ack.nonce)
    sent = response.resources if response else {}
    for refusal in (one for one in ack.rejections if one.resource in sent):
        log.warning(
            "resource rejected",
            instance=stream.hello.instance,
            resource=str(refusal.resource),
            version=refusal.version,
            field=refusal.field_path,
            reason=refusal.reason,
        )
