"""A goal: what it asks for, and what a bench found.

A bench lists every goal it knows. One that it did not measure says why instead of a value, so that none is
forgotten by being left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NotRequired, TypedDict


class Goal(TypedDict):
    """One goal as it stands in the JSON that a bench writes; without a value it has a reason."""

    goal: str
    name: str
    value: float | None
    unit: str
    must: float | None
    stretch: float | None
    met: bool | None
    rounds: Sequence[float]
    peers: Mapping[str, float]
    ours: float | None
    reason: NotRequired[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a goal asks for. `more_is_better` turns both figures from ceilings into floors."""

    goal: str
    name: str
    unit: str
    must: float | None = None
    stretch: float | None = None
    more_is_better: bool = False


def judged(
    aim: Aim,
    rounds: Sequence[float],
    *,
    ours: float | None = None,
    peers: Mapping[str, float] | None = None,
) -> Goal:
    """Return what rounds say about a goal; the value is their median."""
    value = median(rounds)
    return {
        "goal": aim.goal,
        "name": aim.name,
        "value": value,
        "unit": aim.unit,
        "must": aim.must,
        "stretch": aim.stretch,
        "met": _met(aim, value),
        "rounds": rounds,
        "peers": peers or {},
        "ours": ours,
    }


def unmeasured(aim: Aim, reason: str) -> Goal:
    """Return a goal that was not measured, and why."""
    return {
        "goal": aim.goal,
        "name": aim.name,
        "value": None,
        "unit": aim.unit,
        "must": aim.must,
        "stretch": aim.stretch,
        "met": None,
        "rounds": (),
        "peers": {},
        "ours": None,
        "reason": reason,
    }


def _met(aim: Aim, value: float) -> bool | None:
    if aim.must is None:
        return None
    return value >= aim.must if aim.more_is_better else value <= aim.must
