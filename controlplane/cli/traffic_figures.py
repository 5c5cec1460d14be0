"""Traffic as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controlplane.cli import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMITED: Final = ("ratelimit.",)
_SHED: Final = ("queue.", "shed.", "admission.")
_OPEN: Final = ("breaker.",)

RULE_COLUMNS: Final = (
    "EFF-SUCCESS", "EFF-RPS", "ACT-SUCCESS", "ACT-RPS", "RETRY%",
    "P50", "P95", "P99", "LIMITED", "SHED", "OPEN",
)  # fmt: skip


def retries(one: Mapping[str, Any]) -> float:
    """Return how many attempts more than requests there were, as a share of these."""
    rate = one["requestsPerSecond"]
    return max(0.0, one["attemptsPerSecond"] / rate - 1) if rate else 0.0


def latencies(one: Mapping[str, Any]) -> list[str]:
    """Return the percentiles 50, 95 and 99."""
    return [figures.latency(one.get(name)) for name in ("p50", "p95", "p99")]


def refused(one: Mapping[str, Any]) -> list[float]:
    """Return how many requests a second limits, queues and breakers refused."""
    found = one["refusedPerSecond"].items()
    return [
        sum(rate for reason, rate in found if reason.startswith(families))
        for families in (_LIMITED, _SHED, _OPEN)
    ]


def of_rule(one: Mapping[str, Any] | None) -> list[str]:
    """Return the figures of a rule, by its columns: as callers see it, and each attempt; `-` without any."""
    if one is None:
        return ["-"] * len(RULE_COLUMNS)
    rate = one["requestsPerSecond"]
    return [
        figures.percent(one["successRatio"]),
        f"{rate:.1f}",
        figures.percent(one["attemptSuccessRatio"]),
        f"{one['attemptsPerSecond']:.1f}",
        figures.percent(retries(one)),
        *latencies(one),
        *(figures.percent(each / rate) for each in refused(one)),
    ]
