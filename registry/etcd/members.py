"""The members of a cluster, one channel each, and the one that is talked to.

All calls go to one member until a call to it fails; then all go to the next. One channel for all members
would choose by itself, but then the host name check fails for the certificate of every member.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc.aio
import structlog

from registry.config import EtcdAccess, EtcdLocation
from registry.errors import StoreRefusedError
from registry.etcd.certificates import Certificates, read_certificates

_OPTIONS: Final = (
    # Finds half-open connections while a stream is open; etcd takes pings without one for abuse.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A member that is frozen accepts connections nevertheless: it must not take the time of the others.
    ("grpc.min_reconnect_backoff_ms", 1_500),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A channel made anew, as for other certificates, makes connections of its own.
    ("grpc.use_local_subchannel_pool", 1),
    # A page of the largest entries that etcd takes by default, 1.5 MiB each.
    ("grpc.max_receive_message_length", 512 << 20),
)

log = structlog.get_logger()


class Member:
    """One endpoint of the cluster; it is connected to when first called."""

    def __init__(self, address: str, access: EtcdAccess) -> None:
        self.address = address
        self._access = access
        self._certificates = read_certificates(access)
        self.channel = _channel(address, self._certificates)

    async def refresh(self) -> None:
        """Makes the channel anew if it is down and the certificates have been replaced meanwhile."""
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return
        try:
            certificates = read_certificates(self._access)
        except StoreRefusedError as error:
            log.warning("certificates for etcd are being replaced", reason=str(error))
            return
        if certificates != self._certificates:
            await self.channel.close()
            self._certificates = certificates
            self.channel = _channel(self.address, certificates)


class Members:
    """Every member of the cluster, and the one whose turn it is."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self._members = members
        self._turn = 0

    def __str__(self) -> str:
        return ", ".join(sorted(member.address for member in self._members))

    @property
    def current(self) -> Member:
        """The one to call."""
        return self._members[self._turn]

    async def leave(self, member: Member) -> None:
        """Goes on with the next, unless somebody else has left `member` already."""
        if member is self.current:
            self._turn = (self._turn + 1) % len(self._members)
            await self.current.refresh()


@asynccontextmanager
async def connecting(location: EtcdLocation) -> AsyncIterator[Members]:
    """The members at `location`, beginning with one by chance, so that clients spread over them."""
    addresses = random.sample(location.endpoints, len(location.endpoints))
    members = tuple(Member(address, location.access) for address in addresses)
    try:
        yield Members(members)
    finally:
        for member in members:
            await member.channel.close()


def _channel(address: str, certificates: Certificates | None) -> grpc.aio.Channel:
    if certificates is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=certificates.ca,
        private_key=certificates.key,
        certificate_chain=certificates.certificate,
    )
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
