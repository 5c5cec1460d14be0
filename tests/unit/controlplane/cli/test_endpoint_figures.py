"""How endpoints stand, in words."""

from typing import Any

import pytest

from controlplane.cli.endpoint_figures import cause, probes, returns_in, state

READY: dict[str, Any] = {
    "ready": True,
    "outlier": "",
    "health": "",
    "probedHere": False,
    "othersHealthy": 0,
    "othersUnhealthy": 0,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("ready", "", None)),
        (
            {"ready": False, "outlier": "consecutive_failures", "returnsIn": "12s"},
            ("ejected", "consecutive_failures", "12s"),
        ),
        (
            {"ready": False, "breaker": "BREAKER_STATE_OPEN", "breakerRemaining": "3s"},
            ("ejected", "breaker OPEN", "3s"),
        ),
        ({"breaker": "BREAKER_STATE_CLOSED"}, ("ready", "", None)),
        ({"ready": False, "health": "unhealthy"}, ("unhealthy", "probes", None)),
        ({"outlier": "latency", "returnsIn": "1s"}, ("ready", "latency", "1s")),
    ],
)
def test_state_cause_and_time(changes: dict[str, Any], expected: tuple[str, str, str | None]) -> None:
    endpoint = {**READY, **changes}
    assert (state(endpoint), cause(endpoint), returns_in(endpoint)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"health": "healthy", "probedHere": True}, "healthy, here"),
        (
            {"health": "unhealthy", "othersHealthy": 1, "othersUnhealthy": 2},
            "unhealthy, 2 of 3 others against it",
        ),
    ],
)
def test_probes(changes: dict[str, Any], expected: str) -> None:
    assert probes({**READY, **changes}) == expected
