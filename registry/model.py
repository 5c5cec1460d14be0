"""Services, endpoints, registrations and leases: the one definition of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NewType

InstanceId = NewType("InstanceId", str)
LeaseId = NewType("LeaseId", int)
Revision = NewType("Revision", int)

ZONE_LABEL: Final = "topology.kubernetes.io/zone"
"""The label that says in which zone an endpoint runs, as on nodes of Kubernetes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with what somebody wrote, and the field it is in."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ServiceName:
    """Name of a service; sorts by namespace, then name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Protocol(Enum):
    """What is spoken on a port; with `DETECT`, whatever the first bytes say."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    GRPC = "GRPC"
    TLS = "TLS"
    TCP = "TCP"
    DETECT = "Detect"


class Health(Enum):
    """Verdict on an endpoint: whether it may be called."""

    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a service promises; an empty field promises nothing.

    `idempotent_methods` are HTTP methods or full gRPC method names, sorted.
    """

    owner: str = ""
    version: str = ""
    idempotent_methods: tuple[str, ...] = ()
    documentation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a service: the name, and the number that callers use."""

    name: str
    port: int
    protocol: Protocol = Protocol.HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one instance is reached.

    `ports` maps a service port's name to the number at `address`; it and `labels` are sorted by key. Its
    share of the calls is that of `weight` endpoints.
    """

    instance: InstanceId
    address: str
    ports: Mapping[str, int]
    labels: Mapping[str, str] = field(default_factory=dict)
    has_sidecar: bool = False
    health: Health = Health.HEALTHY
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What one instance says about its service and itself; it lives as long as its lease."""

    service: ServiceName
    ports: tuple[ServicePort, ...]
    contract: Contract = field(default_factory=Contract)
    endpoint: Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Instances that disagree about one field: `winner`, the newest, against `losers`, sorted."""

    field: str
    winner: InstanceId
    losers: tuple[InstanceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """A service as readers of the registry see it.

    `ports` are sorted by number, `endpoints` by instance, `conflicts` by field; lists of services have no
    endpoints, only how many there are and how many of them are healthy.
    """

    name: ServiceName
    ports: tuple[ServicePort, ...]
    contract: Contract
    endpoints: tuple[Endpoint, ...]
    endpoint_count: int
    healthy_count: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A right to exist that lapses `ttl_seconds` after it was last kept alive."""

    id: LeaseId
    ttl_seconds: int
