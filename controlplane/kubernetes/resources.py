"""The resources of the API server that we follow, and how each is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from controlplane.kubernetes.objects import Custom, EndpointSlice, Object, Service

if TYPE_CHECKING:
    from controlplane.model.schema import Kind

T_co = TypeVar("T_co", bound=Object, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[T_co]):
    """One resource: where it is served, as `group/version` and plural, and what of it is decoded.

    An `optional` one is there when somebody installed it; of a `metadata_only` one nothing else is sent.
    """

    name: str
    version: str
    type: type[T_co]
    optional: bool = False
    metadata_only: bool = False

    @property
    def path(self) -> str:
        """Where it is listed, over all namespaces."""
        root = "/apis" if "/" in self.version else "/api"
        return f"{root}/{self.version}/{self.name}"

    def path_of(self, namespace: str, name: str) -> str:
        """Where one object is."""
        root, _, plural = self.path.rpartition("/")
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{within}/{plural}/{name}"


SERVICES: Final = Resource(name="services", version="v1", type=Service)
SLICES: Final = Resource(name="endpointslices", version="discovery.k8s.io/v1", type=EndpointSlice)
NAMESPACES: Final = Resource(name="namespaces", version="v1", type=Object, metadata_only=True)
ACCOUNTS: Final = Resource(name="serviceaccounts", version="v1", type=Object, metadata_only=True)
PODS: Final = Resource(name="pods", version="v1", type=Object, metadata_only=True)


def resource_of(kind: Kind) -> Resource[Custom]:
    """The custom resource of one of the kinds."""
    return Resource(name=kind.plural, version=kind.api_version, type=Custom, optional=True)
