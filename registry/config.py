"""Settings of the registry: where the store is, and its time limits."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from registry.errors import InvalidLocationError

LEASE_SECONDS = 15
"""How long a registration outlives its owner, who renews it three times as often.

Whatever an owner renews through may stand still: it notices within 8 s, and goes on elsewhere in time.
"""

LEASE_SECONDS_MIN = 5
LEASE_SECONDS_MAX = 60
"""What an owner may ask for instead."""

RECONNECT_SECONDS = 4
"""The longest a sidecar waits before it tries the control plane again."""

GRACE_SECONDS = LEASE_SECONDS + RECONNECT_SECONDS
"""How long nothing is taken away after a start, or after the store came back."""

_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteLocation:
    """A file of the embedded store; without `path`, memory."""

    path: Path | None

    def __str__(self) -> str:
        return f"sqlite:{self.path or ':memory:'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdAccess:
    """Whom we trust to be etcd, and who we are to it.

    Files are read anew for each connection and each token, so that they may be replaced.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdLocation:
    """The endpoints of an etcd cluster, each HOST:PORT; with a CA or a certificate over TLS."""

    endpoints: tuple[str, ...]
    access: EtcdAccess = field(default_factory=EtcdAccess)

    def __str__(self) -> str:
        return f"etcd://{','.join(self.endpoints)}"

    @property
    def is_exposed(self) -> bool:
        """Whether what is said could be read on the way: in plain text, and off loopback."""
        is_plain = not (self.access.ca or self.access.certificate)
        return is_plain and not all(is_loopback(endpoint.rpartition(":")[0]) for endpoint in self.endpoints)


StoreLocation = SqliteLocation | EtcdLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Limits of the embedded store.

    `history_revisions` is how far back a watch may begin; `restart_seconds` is what a lease gets on
    top of its own time when the store starts.
    """

    history_revisions: int = 10_000
    restart_seconds: int = RECONNECT_SECONDS


def parse_location(text: str, access: EtcdAccess | None = None) -> StoreLocation:
    """The store that `--store` names: sqlite:PATH, sqlite::memory: or etcd://HOST:PORT[,HOST:PORT...].

    Raises:
        InvalidLocationError: it has another form.
    """
    scheme, _, rest = text.partition(":")
    if scheme == "sqlite" and rest:
        return SqliteLocation(path=None if rest == ":memory:" else Path(rest))
    endpoints = rest.removeprefix("//").split(",")
    if scheme == "etcd" and rest.startswith("//") and all(map(_is_endpoint, endpoints)):
        return EtcdLocation(endpoints=tuple(endpoints), access=access or EtcdAccess())
    raise InvalidLocationError(
        f"expected sqlite:PATH, sqlite::memory: or etcd://HOST:PORT[,HOST:PORT...], found {text!r}"
    )


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is reached from this machine alone."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_endpoint(text: str) -> bool:
    host, _, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_port = port.isascii() and port.isdecimal() and int(port) <= _PORT_MAX
    return bool(host) and (is_bracketed or ":" not in host) and is_port
