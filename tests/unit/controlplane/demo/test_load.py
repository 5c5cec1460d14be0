"""Figures of the demo's load."""

from __future__ import annotations

from controlplane.demo.load import Outcome, failures, quantile


def outcome(status: int) -> Outcome:
    return Outcome(flow="browse", at=0.0, status=status, seconds=0.01, reason="", retry_after="")


def test_everything_but_200_is_a_failure() -> None:
    assert failures([outcome(200), outcome(502), outcome(0)]) == 2


def test_quantile_of_nothing_is_zero() -> None:
    assert quantile([], 0.95) == 0.0


def test_quantile_picks_a_measured_value() -> None:
    assert quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 3.0
