"""How an endpoint stands with a sidecar that calls it, in words."""

from __future__ import annotations

from typing import Any

from controlplane.cli import figures

_BARRING = frozenset({"BREAKER_STATE_OPEN", "BREAKER_STATE_HALF_OPEN", "BREAKER_STATE_FORCED_OPEN"})


def state(endpoint: dict[str, Any]) -> str:
    """Whether it may be called: `ready`, `unhealthy` or `ejected`."""
    if endpoint["ready"]:
        return "ready"
    return "unhealthy" if endpoint["health"] == "unhealthy" else "ejected"


def cause(endpoint: dict[str, Any]) -> str:
    """What it is left out for: a detector, its breaker or its probes; empty when nothing is against it."""
    causes = [endpoint["outlier"]] if endpoint["outlier"] else []
    if endpoint.get("breaker") in _BARRING:
        causes.append(f"breaker {figures.state(endpoint['breaker'])}")
    if endpoint["health"] == "unhealthy":
        causes.append("probes")
    return ", ".join(causes)


def returns_in(endpoint: dict[str, Any]) -> str | None:
    """The time until a detector or the breaker lets it be called again."""
    if endpoint.get("returnsIn"):
        return str(endpoint["returnsIn"])
    left = endpoint.get("breakerRemaining") if endpoint.get("breaker") in _BARRING else None
    return str(left) if left else None


def probes(endpoint: dict[str, Any]) -> str:
    """What its probers say, and who: `healthy, here` or `unhealthy, 2 of 3 others`; empty without a check."""
    if not endpoint["health"]:
        return ""
    said = [endpoint["health"]]
    if endpoint["probedHere"]:
        said.append("here")
    unhealthy = endpoint["othersUnhealthy"]
    if others := unhealthy + endpoint["othersHealthy"]:
        said.append(f"{unhealthy} of {others} others against it")
    return ", ".join(said)
