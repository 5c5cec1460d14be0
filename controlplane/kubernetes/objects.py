"""What we read of the cluster's objects, and nothing else of them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct, field


class Key(NamedTuple):
    """Names one object of a resource; `namespace` is empty for what lies in none."""

    namespace: str
    name: str


class Meta(Struct, frozen=True, rename="camel", kw_only=True):
    """Metadata of any object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Object(Struct, frozen=True, kw_only=True):
    """Any object, of which its metadata is enough."""

    metadata: Meta

    @property
    def key(self) -> Key:
        """What it is found by."""
        return Key(self.metadata.namespace, self.metadata.name)


class Custom(Object, frozen=True, kw_only=True):
    """One of our own kinds; what it says is read by the schema, like a file."""

    spec: Raw = field(default_factory=lambda: Raw(b"{}"))
    status: Raw = field(default_factory=lambda: Raw(b"{}"))


class ServicePort(Struct, frozen=True, rename="camel", kw_only=True):
    """One port of a Service."""

    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    app_protocol: str = ""


class ServiceSpec(Struct, frozen=True, rename="camel", kw_only=True):
    """What a Service says."""

    type: str = "ClusterIP"
    ports: tuple[ServicePort, ...] = ()
    ip_families: tuple[str, ...] = ()
    cluster_ips: tuple[str, ...] = field(name="clusterIPs", default=())


class Service(Object, frozen=True, kw_only=True):
    """A Service."""

    spec: ServiceSpec = field(default_factory=ServiceSpec)


class SlicePort(Struct, frozen=True, kw_only=True):
    """One port at which the endpoints of a slice are reached."""

    name: str | None = None
    port: int | None = None


class Conditions(Struct, frozen=True, kw_only=True):
    """The state of an endpoint; what nobody says counts as ready and not terminating."""

    ready: bool | None = None
    terminating: bool | None = None


class Reference(Struct, frozen=True, kw_only=True):
    """The object behind an endpoint."""

    kind: str = ""
    name: str = ""


class SliceEndpoint(Struct, frozen=True, rename="camel", kw_only=True):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    target_ref: Reference | None = None
    zone: str | None = None


class EndpointSlice(Object, frozen=True, rename="camel", kw_only=True):
    """Some endpoints of one Service."""

    address_type: str = ""
    endpoints: tuple[SliceEndpoint, ...] | None = None
    ports: tuple[SlicePort, ...] | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """The `Status` in which the API server says what is wrong."""

    message: str = ""
    reason: str = ""
    code: int = 0


class ListMeta(Struct, frozen=True, rename={"resource_version": "resourceVersion", "next_page": "continue"}):
    """As of when a list is, and how the next page of it is asked for."""

    resource_version: str = ""
    next_page: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """One page of a list, its items not decoded yet."""

    metadata: ListMeta
    items: tuple[Raw, ...] | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One line of a watch."""

    type: str
    object: Raw


def decode_problem(body: bytes) -> Problem:
    """What the API server says is wrong; empty when it says it in another form."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        return Problem()
