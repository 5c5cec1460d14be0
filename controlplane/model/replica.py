"""The replicas of the control plane, and how each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NewType, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controlplane.model.document import ObjectKey
    from controlplane.model.sidecar import Attached, PolicyConvergence

ReplicaId = NewType("ReplicaId", str)
"""Names one run of one replica."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica; its peers reach it at `address`, host and port, and are answered if they know `token`."""

    id: ReplicaId
    name: str
    address: str
    version: str
    started_at: datetime
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one replica stands.

    `is_complete` when whoever its catalogue misses is gone, rather than on the way back; `lead_seconds` since
    it renewed the lead, `None` when it does not lead.
    """

    revision: int
    is_complete: bool
    is_store_ready: bool
    connected: int
    converged: int
    lead_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergenceShare:
    """How far the sidecars of one replica, which offers them `revision`, are with the policies they read."""

    revision: int
    policies: Mapping[ObjectKey, PolicyConvergence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A sidecar, and the replica that knows it best."""

    attached: Attached
    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What the whole mesh answers, but for the replicas that did not: their names, sorted."""

    value: T
    unanswered: tuple[str, ...] = ()
