"""The gRPC servers of the control plane: what they bear, and health and reflection on each."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from controlplane.config import Address
from controlplane.credentials import Keyring, server_credentials
from controlplane.errors import ListenError

MESSAGE_BYTES: Final = 16 << 20

_OPTIONS: Final = (
    # With the defaults a storm of reconnecting sidecars is dropped by random early detection.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    # A sidecar that can no longer be reached is noticed after 25 s at most.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A client that pings more often than this is sent away; sidecars do it every 3 s.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 2_000),
    # Windows need not grow for messages this small, and a probe is two packets for each of them.
    ("grpc.http2.bdp_probe", 0),
    # Two control planes on one address would each get half of the sidecars.
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long connections are kept, in seconds.

    A client is asked to leave after `age`, give or take a tenth, so that streams spread over replicas anew
    from time to time; what it has not ended by itself `age_grace` later is cut. When the server stops,
    everybody is asked to leave at once, and has `stop_grace`. When its loop stands still for `standstill`,
    the front cuts all, in time for them to renew their registrations elsewhere.
    """

    age: float = 1800.0
    age_grace: float = 10.0
    stop_grace: float = 2.0
    standstill: float = 8.0

    def options(self) -> tuple[tuple[str, int], ...]:
        """The part that the library keeps; it adds the tenth."""
        return (
            ("grpc.max_connection_age_ms", round(self.age * 1000)),
            ("grpc.max_connection_age_grace_ms", round(self.age_grace * 1000)),
        )


DEFAULT_LIFETIMES: Final = Lifetimes()


HEALTH: Final = "/grpc.health.v1.Health/"
"""What the methods of health begin with, which whoever can connect may ask for."""


def bearer(details: grpc.HandlerCallDetails) -> str:
    """The token that a call shows, or an empty one."""
    for name, value in details.invocation_metadata or ():
        if name == "authorization" and isinstance(value, str):
            return value.removeprefix("Bearer ")
    return ""


def refusing(code: grpc.StatusCode, reason: str) -> Any:
    """What answers a call of any kind with a refusal, before anything is read of it."""

    async def refuse(_: object, context: Any) -> None:
        await context.abort(code, reason)

    return grpc.stream_stream_rpc_method_handler(refuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who gets in: encrypted when there is a `keyring`, and past every guard, the first of them first.

    `client_roots` vouch for all who may connect, unless that is anybody.
    """

    keyring: Keyring | None = None
    client_roots: bytes | None = None
    guards: tuple[grpc.aio.ServerInterceptor, ...] = ()


OPEN: Final = Access()


class Service(NamedTuple):
    """One service: its full name, and what adds it to a server."""

    name: str
    add: Callable[[grpc.aio.Server], None]


class Servers:
    """The services of one gRPC server, with health and reflection; `names` are served, too, before it."""

    def __init__(
        self,
        services: Iterable[Service],
        guards: Iterable[grpc.aio.ServerInterceptor],
        options: Iterable[tuple[str, int]] = (),
        names: Iterable[str] = (),
    ) -> None:
        self.server = grpc.aio.server(options=(*_OPTIONS, *options), interceptors=tuple(guards))
        services = tuple(services)
        for service in services:
            service.add(self.server)
        names = [*names, *(service.name for service in services)]
        self._names = ("", *names)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        shown = [*names, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(shown, self.server)

    async def report(self, *, is_serving: bool) -> None:
        """Says whether everything is served."""
        answers = health_pb2.HealthCheckResponse
        status = answers.SERVING if is_serving else answers.NOT_SERVING
        for name in self._names:
            await self._health.set(name, status)


def _add_port(server: grpc.aio.Server, address: Address, access: Access) -> int:
    if access.keyring is None:
        return server.add_insecure_port(str(address))
    return server.add_secure_port(str(address), server_credentials(access.keyring, access.client_roots))


@asynccontextmanager
async def listening(
    flag: str,
    address: Address,
    services: Iterable[Service],
    access: Access = OPEN,
    lifetimes: Lifetimes = DEFAULT_LIFETIMES,
) -> AsyncIterator[Address]:
    """A server of `services` with health and reflection, serving at `address` until the block ends.

    Raises:
        ListenError: the address cannot be listened on.
    """
    servers = Servers(services, access.guards, lifetimes.options())
    try:
        port = _add_port(servers.server, address, access)
    except RuntimeError as error:
        raise ListenError(flag, str(address), "it is taken, or not ours") from error
    await servers.report(is_serving=True)
    await servers.server.start()
    try:
        yield Address(host=address.host, port=port)
    finally:
        await servers.report(is_serving=False)
        await servers.server.stop(lifetimes.stop_grace)


@asynccontextmanager
async def answering(
    target: str,
    services: Iterable[Service],
    guards: Iterable[grpc.aio.ServerInterceptor],
    names: Iterable[str],
) -> AsyncIterator[Servers]:
    """A server of `services` for what stands before it, which serves `names` itself, until the block ends."""
    servers = Servers(services, guards, names=names)
    servers.server.add_insecure_port(target)
    await servers.server.start()
    try:
        yield servers
    finally:
        await servers.server.stop(None)
