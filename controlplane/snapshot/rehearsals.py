"""What others always take from a rehearsal (GEP-713).

Sidecars merge the rehearsals that concern a request. Here no request is known, so an effect is lost only if
others take it from every request that its policy concerns, until that is over: of every class of callers, on
every route and rule of which something is said. Others surely concern such a request if they match all of
them and last as long. Those that concern some of them only take nothing for certain, and may keep others
from acting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from controlplane.model.value import blocks, find_text
from controlplane.policy import fault
from controlplane.policy.merge import Contribution, Strategy, fold_order
from controlplane.policy.target import callers_of
from controlplane.snapshot import callers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controlplane.model.document import ObjectKey
    from controlplane.model.resource import FaultRules, Outbound, RouteScope
    from controlplane.model.route import RouteRule

_Cell: TypeAlias = "RouteRule | None"  # the requests of a rule of a route, or those of none


def lost_effects(outbound: Outbound, policy: ObjectKey) -> Mapping[str, ObjectKey]:
    """The effects that a policy states in vain for every caller of a service, each with one who takes it."""
    places = [place for cell in _cells(outbound, policy) for place in _places(outbound, policy, cell)]
    lost: dict[str, ObjectKey] = {}
    for effect in sorted(fault.EFFECTS):
        takers = [place.find_taker(effect) for place in places]
        if takers and None not in takers:
            lost[effect] = next(filter(None, takers))
    return lost


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Calls of one class of callers in one cell, and who may concern them, in the order of their turns."""

    before: Sequence[Contribution]
    own: Contribution
    after: Sequence[Contribution]
    sure: frozenset[ObjectKey]

    def find_taker(self, effect: str) -> ObjectKey | None:
        """Who surely takes an effect that our own policy states."""
        if effect not in self.own.settings:
            return None
        later = (each for each in self.after if self._is_sure(each) and _overrides(each, effect))
        taker = next(later, None) or self._find_earlier(effect)
        return taker.policy.key if taker else None

    def _find_earlier(self, effect: str) -> Contribution | None:
        """Who surely does it before our own policy would, which then leaves it out."""
        if self.own.strategy.overrides:
            return None
        if self.own.strategy.atomic:
            return next(filter(self._is_sure, self.before), None)
        earlier = (each for turn, each in enumerate(self.before) if self._surely_does(turn, each, effect))
        return next(earlier, None)

    def _surely_does(self, turn: int, each: Contribution, effect: str) -> bool:
        """Whether the effect is done for certain once all before our own had their turns."""
        stands = each.strategy is not Strategy.ATOMIC_DEFAULTS or turn == 0
        ends = (
            other.strategy is Strategy.ATOMIC_OVERRIDES and effect not in other.settings
            for other in self.before[turn + 1 :]
        )
        return self._is_sure(each) and effect in each.settings and stands and not any(ends)

    def _is_sure(self, each: Contribution) -> bool:
        return each.policy.key in self.sure


def _overrides(each: Contribution, effect: str) -> bool:
    """Whether it takes an effect from all that had their turns."""
    return each.strategy.overrides and (each.strategy.atomic or effect in each.settings)


def _cells(outbound: Outbound, policy: ObjectKey) -> Iterator[_Cell]:
    """The parts of the calls in which the policy acts, and of which all policies say the same throughout."""
    return (cell for cell in (None, *outbound.routes) if _find(outbound, policy, cell))


def _find(outbound: Outbound, policy: ObjectKey, cell: _Cell) -> FaultRules | None:
    """What a policy has done to requests of a cell: what it says of the fewest of them holds."""
    some_stay = any(_stays(outbound, cell))
    own = (each for each in outbound.faults if each.policy.key == policy and _covers(each.scope, cell))
    found = (each for each in own if each.scope or some_stay)
    return max(found, key=lambda each: each.scope or (), default=None)


def _covers(scope: RouteScope | None, cell: _Cell) -> bool:
    """Whether all requests of a cell are within a scope."""
    if scope is None or cell is None:
        return scope is None
    return scope.route == cell.route.key and scope.rule in {"", cell.name}


def _stays(outbound: Outbound, cell: _Cell) -> list[bool]:
    """Of the ways that requests of a cell go, which lead to the service itself: its policies are for them."""
    return [backend.service == outbound.service for backend in cell.backends] if cell else [True]


def _places(outbound: Outbound, policy: ObjectKey, cell: _Cell) -> Iterator[_Place]:
    """What may concern the requests of a cell that the policy concerns, for every class of callers."""
    own = _find(outbound, policy, cell)
    assert own is not None  # noqa: S101  # the policy acts in the cell
    others = _others(outbound, own, cell)
    stays = own.scope is None or all(_stays(outbound, cell))
    sure = frozenset(each.policy.key for each in others if (each.scope or stays) and _outdoes(each, own))
    mentioned = {caller for each in (own, *others) for caller in callers_of(each.callers)}
    for match in callers.classes(mentioned):
        ranked = [(each, callers.rank(callers_of(each.callers), match)) for each in (own, *others)]
        order = fold_order(_contribution(each, rank) for each, rank in ranked if rank is not None)
        turn = next((turn for turn, each in enumerate(order) if each.policy.key == policy), None)
        if turn is not None:
            yield _Place(before=order[:turn], own=order[turn], after=order[turn + 1 :], sure=sure)


def _others(outbound: Outbound, own: FaultRules, cell: _Cell) -> list[FaultRules]:
    """What other policies have done to requests of a cell; those in shadow are nothing to those that act."""
    keys = dict.fromkeys(each.policy.key for each in outbound.faults if own.is_shadow or not each.is_shadow)
    found = (_find(outbound, key, cell) for key in keys if key != own.policy.key)
    return [each for each in found if each is not None]


def _outdoes(each: FaultRules, own: FaultRules) -> bool:
    """Whether it is for all requests that our own is for, and for as long."""
    matches = blocks(each.settings, "match")
    own_matches = blocks(own.settings, "match")
    is_wider = not matches or (bool(own_matches) and all(match in matches for match in own_matches))
    return is_wider and each.until >= own.until


def _contribution(rules: FaultRules, rank: int) -> Contribution:
    """What a rehearsal would do to requests of callers of this rank; all of it is one block."""
    return Contribution(
        policy=rules.policy,
        level="",
        strategy=Strategy(find_text(rules.settings, "merge") or Strategy.PATCH_DEFAULTS.value),
        specificity=(rules.specificity, rank),
        age=rules.age,
        settings={effect: rules.settings[effect] for effect in fault.EFFECTS if effect in rules.settings},
    )
