"""Budgets of retries and hedges."""

from dataclasses import dataclass

from sidecar._core import Budget, Spent
from sidecar.machines.units import SECOND_NS

__all__ = ["Budget", "BudgetParams", "Spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetParams:
    """Settings of a retry budget; the floor is this sidecar's share, `floor_count` in `floor_per_ns`."""

    percent: float = 20
    interval_ns: int = 10 * SECOND_NS
    floor_count: int = 10
    floor_per_ns: int = SECOND_NS
