"""What a cluster has beside policies: its services, and its namespaces with the accounts in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.kubernetes import resources
from controlplane.kubernetes.gathering import Gathering
from controlplane.kubernetes.namespaces import NamespaceIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.index import Index
    from controlplane.kubernetes.objects import Key, Object
    from controlplane.kubernetes.territory import Territory
    from controlplane.model.namespaces import Namespaces
    from registry import catalog
    from registry.clock import Clock
    from registry.model import ServiceName


def gather_services(api: Api, clock: Clock, index: Index) -> Gathering[Mapping[ServiceName, catalog.Service]]:
    """The cluster's Services by name, sorted, which `index` holds as they come."""
    gathering: Gathering[Mapping[ServiceName, catalog.Service]] = Gathering(api, clock, index, {})
    gathering.follow(resources.SERVICES, index.take_services)
    gathering.follow(resources.SLICES, index.take_slices)
    gathering.follow(resources.PODS, index.take_pods)
    return gathering


def gather_namespaces(api: Api, clock: Clock, territory: Territory) -> Gathering[Namespaces | None]:
    """The cluster's Namespaces, and the ServiceAccounts of each; `None` before they were read.

    `territory` hears whose each is.
    """
    index = NamespaceIndex()

    def take(changes: Mapping[Key, Object | None]) -> None:
        territory.take(changes)
        index.take_namespaces(changes)

    gathering: Gathering[Namespaces | None] = Gathering(api, clock, index, None)
    gathering.follow(resources.NAMESPACES, take)
    gathering.follow(resources.ACCOUNTS, index.take_accounts)
    return gathering
