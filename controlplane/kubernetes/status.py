"""The status of an object as it is kept in the cluster, and what changed between two of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTROLLER: Final = "breakwater.dev/controller"
ANCESTORS_MAX: Final = 16
TRUE, FALSE = "True", "False"


class Condition(Struct, frozen=True, rename="camel", kw_only=True):
    """One aspect, as Kubernetes has it; `last_transition_time` is when `status` became what it is."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: datetime | None = None


class AncestorRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A target."""

    group: str
    kind: str
    name: str
    namespace: str = ""


class Sidecars(Struct, frozen=True, kw_only=True):
    """How many sidecars a target concerns, and what they answered to the newest revision."""

    targeted: int
    applied: int
    rejected: int
    pending: int
    revision: str


class Ancestor(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One target; with the sidecars when it is the only one, whose they then all are."""

    ancestor_ref: AncestorRef
    controller_name: str = ""
    sidecars: Sidecars | None = None


class ParentRef(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """A parent of a route, as the route names it."""

    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str = ""
    section_name: str | None = None
    port: int | None = None


class Parent(Struct, frozen=True, rename="camel", kw_only=True):
    """What one controller says of a route at one of its parents."""

    parent_ref: ParentRef
    controller_name: str = ""
    conditions: tuple[Condition, ...] = ()

    def after(self, before: Sequence[Parent], now: datetime) -> Parent:
        """The same, each condition with the instant since when its status is what it is."""
        known = (each.conditions for each in before if each.place == self.place)
        old = {each.type: each for each in next(known, ())}
        return msgspec.structs.replace(
            self, conditions=tuple(_since(each, old.get(each.type), now) for each in self.conditions)
        )

    @property
    def place(self) -> tuple[object, ...]:
        """Who says it, of which parent."""
        return self.controller_name, *msgspec.structs.astuple(self.parent_ref)


class Status(Struct, frozen=True, rename="camel", kw_only=True):
    """What became of one generation of an object; `synced` counts sidecars, as in 41/41.

    A route has `parents`, and nothing else; those of other controllers are kept as they are.
    """

    observed_generation: int = 0
    synced: str = ""
    conditions: tuple[Condition, ...] = ()
    ancestors: tuple[Ancestor, ...] = ()
    parents: tuple[Parent, ...] = ()

    def find(self, kind: str) -> Condition | None:
        """The condition of a type, or `None`."""
        return next((condition for condition in self.conditions if condition.type == kind), None)

    def after(self, before: Status, now: datetime) -> Status:
        """The same, each condition with the instant since when its status is what it is."""
        others = tuple(each for each in before.parents if each.controller_name != CONTROLLER)
        own = tuple(each.after(before.parents, now) for each in self.parents)
        return msgspec.structs.replace(
            self,
            conditions=tuple(_since(each, before.find(each.type), now) for each in self.conditions),
            parents=others + own,
        )

    @property
    def verdicts(self) -> Mapping[str, tuple[str, str]]:
        """Status and reason of each condition by type."""
        return {each.type: (each.status, each.reason) for each in self.conditions}


def _since(condition: Condition, before: Condition | None, now: datetime) -> Condition:
    same = before is not None and before.status == condition.status
    instant = before.last_transition_time if same and before else None
    return msgspec.structs.replace(condition, last_transition_time=instant or now)


def decode_status(text: bytes | msgspec.Raw) -> Status:
    """The status of an object; an empty one if somebody else wrote what we cannot read."""
    try:
        return msgspec.json.decode(text, type=Status)
    except msgspec.MsgspecError:
        return Status()


def encode_status(status: Status, *, is_route: bool, has_ancestors: bool) -> object:
    """The status as plain values, for a request."""
    plain = msgspec.to_builtins(status)
    parents = plain.pop("parents")
    if is_route:
        return {"parents": parents}
    if not has_ancestors:
        del plain["ancestors"]
    return plain


def news(before: Status, after: Status) -> tuple[Condition, ...]:
    """The conditions whose reason was another before."""
    known = before.verdicts
    return tuple(each for each in after.conditions if known.get(each.type, ("", ""))[1] != each.reason)
