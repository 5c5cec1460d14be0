"""This run of the program, as its peers know it."""

import asyncio
import secrets
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import Final

from controlplane.config import Address
from controlplane.errors import ListenError
from controlplane.model.replica import Replica, ReplicaId
from controlplane.version import program_version
from registry.config import EtcdLocation, StoreLocation

_USUAL_PORT: Final = 15010


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What names this run, and what lets its peers in; chosen before it is known where it listens."""

    id: ReplicaId = field(default_factory=lambda: ReplicaId(secrets.token_hex(8)))
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    started_at: datetime = field(default_factory=partial(datetime.now, UTC))

    async def at(self, listen: Address, store: StoreLocation) -> Replica:
        """The replica that listens at `listen`, where those reach it who share its store.

        Raises:
            ListenError: no address of this machine leads to the store.
        """
        host = socket.gethostname()
        return Replica(
            id=self.id,
            name=host if listen.port == _USUAL_PORT else f"{host}:{listen.port}",
            address=str(await reachable(listen, store)),
            version=program_version(),
            started_at=self.started_at,
            token=self.token,
        )


async def reachable(listen: Address, store: StoreLocation) -> Address:
    """Where others reach who listens at `listen`; of a wildcard, the address of this machine towards etcd.

    Raises:
        ListenError: nothing leads to etcd.
    """
    if not _is_wildcard(listen.host):
        return listen
    if not isinstance(store, EtcdLocation):
        return Address(host="127.0.0.1", port=listen.port)  # nobody else shares the store
    failures: list[str] = []
    for endpoint in store.endpoints:
        try:
            return Address(host=await _towards(endpoint), port=listen.port)
        except OSError as error:  # as of a member that is down, and whose name leads nowhere meanwhile
            failures.append(f"{endpoint}: {error}")
    reason = f"no address of this machine leads to etcd: {'; '.join(failures)}"
    raise ListenError("--listen", str(listen), reason)


async def _towards(endpoint: str) -> str:
    """The address that packets to `endpoint` leave from."""
    host, _, port = endpoint.rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    family, kind, _, _, target = found[0]
    with socket.socket(family, kind) as probe:
        probe.connect(target)  # sends nothing: it only chooses the way
        return str(probe.getsockname()[0])


def _is_wildcard(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
