"""Traffic as people read it."""

from typing import Any

from controlplane.cli import traffic_figures


def traffic(**more: Any) -> dict[str, Any]:
    """What ten requests a second came to, of which each was tried once."""
    return {
        "requestsPerSecond": 10.0,
        "successRatio": 1.0,
        "attemptsPerSecond": 10.0,
        "attemptSuccessRatio": 1.0,
        "refusedPerSecond": {},
        **more,
    }


def figures(one: dict[str, Any] | None) -> dict[str, str]:
    return dict(zip(traffic_figures.RULE_COLUMNS, traffic_figures.of_rule(one), strict=True))


def test_what_retries_hide_is_told_beside_what_callers_see() -> None:
    told = figures(traffic(attemptsPerSecond=12.5, attemptSuccessRatio=0.8, p50="0.003s", p95="0.250s"))
    assert (told["EFF-SUCCESS"], told["EFF-RPS"]) == ("100.00%", "10.0")
    assert (told["ACT-SUCCESS"], told["ACT-RPS"], told["RETRY%"]) == ("80.00%", "12.5", "25.00%")
    assert (told["P50"], told["P95"], told["P99"]) == ("3.0ms", "250ms", "-")


def test_refusals_are_shares_of_the_requests_by_who_refused() -> None:
    reasons = {
        "ratelimit.token": 1.0,
        "ratelimit.fixed": 1.0,
        "shed.class": 0.5,
        "breaker.open": 2.5,
        "timeout.request": 1.0,
    }
    told = figures(traffic(refusedPerSecond=reasons))
    assert (told["LIMITED"], told["SHED"], told["OPEN"]) == ("20.00%", "5.00%", "25.00%")


def test_without_traffic_there_are_no_figures() -> None:
    assert set(figures(None).values()) == {"-"}
