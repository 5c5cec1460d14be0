"""The share of another replica, asked for over a connection that is kept."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import grpc.aio

from controlplane.credentials import first_name
from controlplane.errors import CredentialsError, PeerError
from controlplane.peers import codec
from controlplane.snapshot.codec import encode_service_name
from controlplane.wire.codec import decode_event, decode_sidecar, encode_key, encode_resource_name
from mesh.v1 import command_pb2
from mesh.v1 import peer_pb2 as pb
from mesh.v1.peer_pb2_grpc import PeerServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from grpc.aio import UnaryUnaryMultiCallable

    from controlplane.credentials import Keyring
    from controlplane.model.document import ObjectKey
    from controlplane.model.event import Event
    from controlplane.model.replica import ConvergenceShare, Replica, Standing
    from controlplane.model.resource import ResourceName
    from controlplane.model.sidecar import Attached
    from controlplane.model.traffic import Question, TrafficShare
    from controlplane.peers.codec import News
    from mesh.v1.peer_pb2_grpc import PeerServiceAsyncStub
    from registry.model import ServiceName

Q = TypeVar("Q")
A = TypeVar("A")

METADATA: Final = "breakwater-peer"
"""Carries the token of the replica asked."""

DEADLINE_SECONDS: Final = 2.0
RELAY_SECONDS: Final = 5.0
"""Longer than a sidecar is waited for, since only so many are asked at once."""

_MESSAGE_BYTES: Final = 64 << 20
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    # A replica that returns is to be found at once, and one that vanished is to be noticed.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class _Trust(NamedTuple):
    """The roots that vouch for other replicas, and the name that these show a certificate for."""

    bundle: bytes
    name: str


def _trust(keyring: Keyring | None) -> _Trust | None:
    """Whom to trust now, as every replica does; `None` in plain text."""
    if keyring is None:
        return None
    credentials = keyring()
    return _Trust(bundle=credentials.bundle, name=first_name(credentials))


def _channel(address: str, trust: _Trust | None) -> grpc.aio.Channel:
    """A connection to where another replica is, which may be an address that no certificate names."""
    if trust is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    shared = grpc.ssl_channel_credentials(trust.bundle)
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", trust.name))
    return grpc.aio.secure_channel(address, shared, options=options)


def not_asked(instance: str, replica: str) -> command_pb2.CommandResult:
    """The result for a sidecar whose replica did not answer."""
    return command_pb2.CommandResult(
        instance=instance, error=f"sidecar {instance!r} cannot be asked: {replica} does not answer"
    )


class Peer:
    """A `Share` of another replica; whatever it does not answer in time is a `PeerError`."""

    def __init__(self, replica: Replica, keyring: Keyring | None) -> None:
        self.replica = replica
        self._keyring = keyring
        self._metadata = ((METADATA, replica.token),)
        self._connect(_trust(keyring))

    def _connect(self, trust: _Trust | None) -> None:
        self._trusted = trust
        self._channel = _channel(self.replica.address, trust)
        self._stub: PeerServiceAsyncStub = PeerServiceStub(self._channel)

    async def refresh(self) -> None:
        """Makes the connection anew if others vouch for the replica by now than when it was made."""
        with suppress(CredentialsError):  # half of what is replaced
            trust, channel = _trust(self._keyring), self._channel
            if trust != self._trusted:
                self._connect(trust)
                await channel.close(RELAY_SECONDS)

    async def close(self, grace_seconds: float = 0) -> None:
        """Ends the connection, once nobody waits for an answer any more or the time is over."""
        await self._channel.close(grace_seconds)

    async def standing(self) -> Standing:
        """Where the replica stands."""
        answer = await self._ask(self._stub.GetShare, pb.GetShareRequest())
        return codec.decode_standing(answer)

    async def sidecars(self, namespace: str, instance: str) -> tuple[Attached, ...]:
        """Its sidecars of a namespace or of all; or one of them, with its resources."""
        request = pb.ListShareSidecarsRequest(namespace=namespace, instance=instance)
        answer = await self._ask(self._stub.ListShareSidecars, request)
        return tuple(map(decode_sidecar, answer.sidecars))

    async def convergence(self, policy: ObjectKey | None) -> ConvergenceShare:
        """How far its connected sidecars are with one policy or with all."""
        request = pb.ListShareConvergenceRequest(policy=encode_key(policy) if policy else None)
        answer = await self._ask(self._stub.ListShareConvergence, request)
        return codec.decode_convergence(answer)

    async def readers(self, resources: tuple[ResourceName, ...]) -> tuple[str, ...]:
        """Its connected sidecars that want any of the resources, or without any, all of them."""
        request = pb.ListShareReadersRequest(resources=map(encode_resource_name, resources))
        answer = await self._ask(self._stub.ListShareReaders, request)
        return tuple(answer.instances)

    async def traffic(self, question: Question) -> TrafficShare:
        """What its sidecars counted of the traffic asked for."""
        request = codec.encode_question(question)
        answer = await self._ask(self._stub.ListShareTraffic, request)
        return codec.decode_traffic(answer)

    async def events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of its newest events, oldest first."""
        name = encode_service_name(service) if service else None
        request = pb.ListShareEventsRequest(service=name, limit=limit)
        answer = await self._ask(self._stub.ListShareEvents, request)
        return tuple(decode_event(one.instance, one.event) for one in answer.events)

    async def relay(
        self, instances: tuple[str, ...], command: command_pb2.Command
    ) -> dict[str, command_pb2.CommandResult]:
        """What each of the sidecars answers; `error` also says that the replica did not."""
        request = pb.RelayRequest(instances=instances, command=command)
        results = {name: not_asked(name, self.replica.name) for name in instances}
        with suppress(grpc.aio.AioRpcError):  # whatever came before it stays
            async for one in self._stub.Relay(request, timeout=RELAY_SECONDS, metadata=self._metadata):
                results[one.result.instance] = one.result
        return results

    async def follow(self) -> AsyncIterator[News]:
        """What the replica says unasked, without end.

        Raises:
            PeerError: it is away.
        """
        try:
            async for message in self._stub.Follow(pb.FollowRequest(), metadata=self._metadata):
                yield codec.decode_news(message)
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error

    async def _ask(self, method: UnaryUnaryMultiCallable[Q, A], question: Q) -> A:
        try:
            return await method(question, timeout=DEADLINE_SECONDS, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error

    def _error(self, error: grpc.aio.AioRpcError) -> PeerError:
        return PeerError(self.replica.name, f"{error.code().name}: {error.details()}")
