"""A cluster that is watched: what is known of it, and how to speak to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.index import Index
    from controlplane.kubernetes.source import KubernetesSource
    from controlplane.kubernetes.territory import Territory
    from controlplane.model.namespaces import Namespaces
    from controlplane.model.schema import Schema
    from controlplane.newest import Newest
    from registry.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A cluster that is watched: `source` brings its policies, `namespaces` where they may reach.

    `index` has its Services, which are told what acts on them if `annotates` says so. `territory` says which
    objects are ours to speak of.
    """

    api: Api
    index: Index
    territory: Territory
    annotates: bool
    source: KubernetesSource
    namespaces: Newest[Namespaces | None]
    schema: Schema
    clock: Clock
