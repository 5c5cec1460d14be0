"""How members are started, and where."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.pki import Leaf
from tests.support.ports import free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How clients and members meet: who signs, the members' leaf, and the leaf that our own tools show."""

    ca: Path
    server: Leaf
    client: Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How members are started; `quota_bytes` None means etcd's own 2 GiB."""

    heartbeat_ms: int = 50
    election_ms: int = 500
    is_synced: bool = False
    quota_bytes: int | None = None
    tls: Tls | None = None

    @property
    def scheme(self) -> str:
        """The scheme of URLs that clients use."""
        return "https" if self.tls else "http"

    def flags(self) -> tuple[str, ...]:
        """Return the flags that say so."""
        timers = (f"--heartbeat-interval={self.heartbeat_ms}", f"--election-timeout={self.election_ms}")
        sync = () if self.is_synced else ("--unsafe-no-fsync",)
        quota = (f"--quota-backend-bytes={self.quota_bytes}",) if self.quota_bytes else ()
        return (*timers, *sync, *quota, *self._tls_flags())

    def _tls_flags(self) -> tuple[str, ...]:
        if self.tls is None:
            return ()
        leaf = self.tls.server
        return (
            f"--cert-file={leaf.certificate}",
            f"--key-file={leaf.key}",
            f"--trusted-ca-file={self.tls.ca}",
            "--client-cert-auth",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a member runs: its address and ports, and what goes before its command, as in `ip netns exec`."""

    name: str
    address: str = "127.0.0.1"
    client: int
    peer: int
    metrics: int
    prefix: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        """The address that clients dial."""
        return f"{self.address}:{self.client}"


def places(count: int) -> tuple[Place, ...]:
    """Return places on loopback, each with ports of its own."""
    ports = free_ports(3 * count)
    return tuple(
        Place(name=f"etcd-{n}", client=ports[3 * n], peer=ports[3 * n + 1], metrics=ports[3 * n + 2])
        for n in range(count)
    )
