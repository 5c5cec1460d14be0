"""Resources: what a sidecar is sent. Each is a function of one service or workload, never of its reader."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from controlplane.model.document import ObjectKey
    from controlplane.model.effective import CallerMatch, FieldOrigin, OutboundVariant, PolicyRef
    from controlplane.model.route import RouteRule
    from controlplane.model.value import Tree
    from registry.model import Endpoint, ServiceName, ServicePort

Version = NewType("Version", str)


class ResourceType(IntEnum):
    """Kind of a resource, numbered as in the contract."""

    MESH = 1
    HOST = 2
    OUTBOUND = 3
    ENDPOINTS = 4
    INBOUND = 5
    WORKLOAD = 6


class ResourceName(NamedTuple):
    """Names one resource: `default`, a host or address, or `namespace/name`, by its type."""

    type: ResourceType
    name: str

    def __str__(self) -> str:
        return f"{self.type.name.lower()}/{self.name}"


class RouteScope(NamedTuple):
    """Requests that fall under a route, or under one rule of it."""

    route: ObjectKey
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitRules:
    """The limits of one policy, every default filled in; `callers` are any of, empty: every caller's.

    In shadow they only report what they would refuse. Without a `scope` they are for the whole service.
    Clients are `trusted_hops` proxies away.
    """

    policy: PolicyRef
    callers: tuple[CallerMatch, ...] = ()
    limits: tuple[Tree, ...]
    exempt: tuple[Tree, ...] = ()
    response: Tree
    is_shadow: bool = False
    scope: RouteScope | None = None
    trusted_hops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRules:
    """The rehearsal of one policy, over at `until`; `callers` are any of, empty: every caller's.

    Without a `scope` it is for the whole service. The greater `specificity` is
    the more specific, and of equal ones the smaller `age` the older.
    """

    policy: PolicyRef
    callers: tuple[CallerMatch, ...] = ()
    settings: Tree
    until: datetime
    specificity: int
    age: tuple[bool, float, str]
    is_shadow: bool = False
    scope: RouteScope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    """Settings of the whole mesh; host names lead to the services in `named_services`, sorted.

    Without `tracing`, no spans are recorded.
    """

    trust_domain: str
    access_log: Tree
    unknown_destinations: str
    tracing: Tree | None = None
    named_services: tuple[ServiceName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostBinding:
    """The service behind a host name; of an address, also the port that it is.

    An address may be one endpoint's own, so that no other endpoint will do.
    """

    service: ServiceName
    port: int = 0
    is_endpoint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """How callers treat a service; `variants` go from the most specific caller to any caller.

    `routes` are the rules by which calls of it go elsewhere, sorted by route, those of one in their order;
    `twins` those routes of which a route of another kind has the name.
    """

    service: ServiceName
    ports: tuple[ServicePort, ...]
    idempotent_methods: tuple[str, ...]
    variants: tuple[OutboundVariant, ...]
    rate_limits: tuple[RateLimitRules, ...]
    faults: tuple[FaultRules, ...] = ()
    routes: tuple[RouteRule, ...] = ()
    twins: frozenset[ObjectKey] = frozenset()

    @property
    def origins(self) -> Iterator[FieldOrigin]:
        """Where the fields of all variants come from, those of rules included."""
        yield from (origin for variant in self._all_variants for origin in variant.origins)

    @property
    def shadow_origins(self) -> Iterator[FieldOrigin]:
        """The same, if policies in shadow acted too."""
        yield from (origin for variant in self._all_variants for origin in variant.shadow_origins)

    @property
    def _all_variants(self) -> Iterator[OutboundVariant]:
        backends = (backend for rule in self.routes for backend in rule.backends)
        yield from self.variants
        yield from (variant for backend in backends for variant in backend.variants)


class Resolution(Enum):
    """How the addresses of endpoints are found: they are listed, or host names among them are resolved."""

    STATIC = "Static"
    DNS = "DNS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The endpoints of a service, sorted by instance; with DNS their addresses may be host names."""

    service: ServiceName
    endpoints: tuple[Endpoint, ...]
    resolution: Resolution = Resolution.STATIC


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundBackpressure:
    """What stands in front of an application, with every default of a block that is there.

    Origins are sorted by path.
    """

    settings: Tree
    origins: tuple[FieldOrigin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteBackpressure:
    """What stands there for the requests of a route or of one rule; `None`: the same as for more of them.

    That is the whole route, or else the whole service.
    """

    scope: RouteScope
    backpressure: InboundBackpressure | None
    shadow_backpressure: InboundBackpressure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRoutes:
    """The rules by which calls of a service go, without their backends, and the names and ports of it.

    Those who are called tell by them what a request came by.
    """

    service: ServiceName
    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    rules: tuple[RouteRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What the members of a service enforce, limits sorted by policy and scope.

    What would stand in front of its application, if policies in shadow acted too, only reports. `routes` are
    those of which some policy is enforced here, by the service that they govern; in `route_backpressure`
    those of whole routes are first. `twins` are those routes of which a route of another kind has the name.
    """

    service: ServiceName
    rate_limits: tuple[RateLimitRules, ...]
    backpressure: InboundBackpressure | None = None
    shadow_backpressure: InboundBackpressure | None = None
    routes: tuple[InboundRoutes, ...] = ()
    route_backpressure: tuple[RouteBackpressure, ...] = ()
    twins: frozenset[ObjectKey] = frozenset()

    @property
    def origins(self) -> Iterator[FieldOrigin]:
        """Where all that stands in front of the application comes from."""
        for front in (self.backpressure, *(each.backpressure for each in self.route_backpressure)):
            yield from front.origins if front else ()

    @property
    def shadow_origins(self) -> Iterator[FieldOrigin]:
        """The same, if policies in shadow acted too."""
        for front in (
            self.shadow_backpressure,
            *(each.shadow_backpressure for each in self.route_backpressure),
        ):
            yield from front.origins if front else ()


class Member(NamedTuple):
    """A port at which a workload is reached, a service that it stands behind there, and what is spoken.

    The zone is empty when nobody knows it; the protocol is named as in the contract, so that members sort.
    """

    port: int
    service: ServiceName
    zone: str = ""
    protocol: str = "HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a workload stands behind, sorted by port, then by service."""

    members: tuple[Member, ...]


Body: TypeAlias = "MeshSettings | HostBinding | Outbound | Endpoints | Inbound | Workload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource at one version: its body, that encoded once, and the objects that it is made of."""

    name: ResourceName
    version: Version
    encoded: bytes
    body: Body
    policies: frozenset[ObjectKey] = field(default_factory=frozenset)
