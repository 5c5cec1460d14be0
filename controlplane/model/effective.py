"""Effective settings: what policies come to for one class of callers, and where each field came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controlplane.model.document import ObjectKey
    from controlplane.model.value import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """The object a setting came from, at the generation that said it."""

    key: ObjectKey
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOrigin:
    """Where one effective field came from; `policy` is `None` for a default of the schema."""

    path: str
    policy: PolicyRef | None
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerMatch:
    """A caller; every member that is set must hold, so an empty one is any caller."""

    namespace: str = ""
    service: str = ""
    service_account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundVariant:
    """Effective settings for `caller`, every default of a present block filled in; origins sorted by path.

    What they would be if policies in shadow acted too is `shadow`; it only reports.
    """

    caller: CallerMatch | None
    resilience: Tree
    origins: tuple[FieldOrigin, ...]
    shadow: Tree | None = None
    shadow_origins: tuple[FieldOrigin, ...] = ()
