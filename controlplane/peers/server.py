"""PeerService: answers the other replicas for the sidecars connected to this one."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from controlplane.peers import codec
from controlplane.peers.client import METADATA
from controlplane.peers.codec import News
from controlplane.wire.codec import decode_resource_names, decode_service_name, encode_event, encode_sidecar
from mesh.v1 import peer_pb2 as pb
from mesh.v1.peer_pb2_grpc import PeerServiceServicer, add_PeerServiceServicer_to_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.model.health import HealthShare
    from controlplane.peers.local import Local
    from registry.model import ServiceName

    Context = grpc.aio.ServicerContext[Any, Any]

NEWS_SECONDS: Final = 2.0
"""How often peers are told what changed."""

_ARRIVAL_SECONDS: Final = 120.0
"""How far back arrivals are told at first: longer than a broken stream goes unnoticed."""


class PeerServer(PeerServiceServicer):
    """Answers whoever knows the token."""

    def __init__(self, local: Local, token: str) -> None:
        self._local = local
        self._token = token.encode()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves PeerService."""
        add_PeerServiceServicer_to_server(self, server)

    async def GetShare(self, request: pb.GetShareRequest, context: Context) -> pb.GetShareResponse:
        """State of the control plane in short."""
        del request
        await self._admit(context)
        return codec.encode_standing(await self._local.standing())

    async def Follow(self, request: pb.FollowRequest, context: Context) -> AsyncIterator[pb.FollowResponse]:
        """First everything that peers need to know at all times, then what changed."""
        del request
        await self._admit(context)
        told: dict[Any, int] = {}
        checked: dict[ServiceName, int] = {}
        within_seconds = _ARRIVAL_SECONDS
        while True:
            counts = dict(self._local.readings.live_callers())
            changed = {service: count for service, count in counts.items() if told.get(service) != count}
            gone = dict.fromkeys(told.keys() - counts.keys(), 0)
            arrivals = self._local.fleet.arrivals(within_seconds)
            now_checked = dict(self._local.readings.checked())
            health = self._health_since(checked, now_checked)
            yield codec.encode_news(News(callers=changed | gone, arrivals=arrivals, health=health))
            told, checked, within_seconds = counts, now_checked, 2 * NEWS_SECONDS
            await asyncio.sleep(NEWS_SECONDS)

    def _health_since(
        self, before: Mapping[ServiceName, int], now: Mapping[ServiceName, int]
    ) -> dict[ServiceName, HealthShare]:
        """What is known of services of which something else was known before, or nothing is any more."""
        changed = (one for one in before.keys() | now.keys() if before.get(one) != now.get(one))
        return {service: self._local.readings.health(service) for service in changed}

    async def ListShareSidecars(
        self, request: pb.ListShareSidecarsRequest, context: Context
    ) -> pb.ListShareSidecarsResponse:
        """Sidecars that are connected or were of late."""
        await self._admit(context)
        found = await self._local.sidecars(request.namespace, request.instance)
        with_resources = bool(request.instance)
        return pb.ListShareSidecarsResponse(
            sidecars=[encode_sidecar(one, with_resources=with_resources) for one in found]
        )

    async def ListShareConvergence(
        self, request: pb.ListShareConvergenceRequest, context: Context
    ) -> pb.ListShareConvergenceResponse:
        """How far the connected sidecars are with policies."""
        await self._admit(context)
        return codec.encode_convergence(await self._local.convergence(codec.find_key(request)))

    async def ListShareReaders(
        self, request: pb.ListShareReadersRequest, context: Context
    ) -> pb.ListShareReadersResponse:
        """Connected sidecars that want resources."""
        await self._admit(context)
        resources = tuple(decode_resource_names(request.resources))
        return pb.ListShareReadersResponse(instances=await self._local.readers(resources))

    async def ListShareTraffic(
        self, request: pb.ListShareTrafficRequest, context: Context
    ) -> pb.ListShareTrafficResponse:
        """What connected sidecars counted."""
        await self._admit(context)
        return codec.encode_traffic(await self._local.traffic(codec.decode_question(request)))

    async def ListShareEvents(
        self, request: pb.ListShareEventsRequest, context: Context
    ) -> pb.ListShareEventsResponse:
        """What happened of late in sidecars that report here."""
        await self._admit(context)
        service = decode_service_name(request.service) if request.HasField("service") else None
        events = await self._local.events(service, request.limit)
        return pb.ListShareEventsResponse(events=map(encode_event, events))

    async def Relay(self, request: pb.RelayRequest, context: Context) -> AsyncIterator[pb.RelayResponse]:
        """Passes a command on to connected sidecars."""
        await self._admit(context)
        async for result in self._local.commands.call_all(request.instances, request.command):
            yield pb.RelayResponse(result=result)

    async def _admit(self, context: Context) -> None:
        """Ends the call of anybody who does not know what only the store could tell."""
        for key, value in context.invocation_metadata() or ():
            if key == METADATA and hmac.compare_digest(str(value).encode(), self._token):
                return
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED, "expected the token of this control plane, which its peers know"
        )
