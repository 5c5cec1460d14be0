"""What a limit admits, in words: per sidecar, and in all where there are several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controlplane.cli import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIVIDED: Final = "LIMIT_SCOPE_DIVIDED"
_CONNECTIONS: Final = {"concurrent": "open", "perSecond": "new/s"}
_RESOURCES: Final = {"cpuPercent": "cpu", "memoryPercent": "memory", "pressure": "pressure"}


def rows(rules: dict[str, Any], enforcers: int) -> Iterator[list[str]]:
    """Each limit of a policy, what it admits, and where it is stated."""
    policy = rules["policy"]
    stated = figures.policy(policy) + figures.scope(rules.get("scope"))
    shadow = " (in shadow)" if rules["isShadow"] else ""
    for limit in rules["limits"]:
        name = f"limit {policy['namespace']}/{policy['name']}/{limit['name']}{shadow}"
        yield [name, figure(limit, enforcers), stated]


def figure(limit: dict[str, Any], enforcers: int) -> str:
    """The figures of a limit, of which each of so many sidecars admits the whole unless it is divided."""
    if limit.get("resource"):
        return ", ".join(_thresholds(limit["resource"]))
    if limit.get("bandwidth"):
        share = limit["bandwidth"]["per"].removeprefix("BANDWIDTH_SHARE_").lower()
        return f"{limit['bandwidth']['bytesPerSecond']} bytes/s per {share}"
    parts = list(_parts(limit))
    if limit.get("scope") == _DIVIDED:
        return ", ".join(f"{number}{unit}{more}" for number, unit, more in parts) + " divided"
    each = ", ".join(f"{number}{unit}{more}" for number, unit, more in parts)
    total = ", ".join(f"{number * enforcers}{unit.removesuffix(' in flight')}" for number, unit, _ in parts)
    return f"{each} per sidecar{f', {total} in all' if enforcers > 1 else ''}"


def _parts(limit: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Each figure with its unit, and what else is said of it."""
    if int(limit["requests"]):
        burst = f" b{limit['burst']}" if limit.get("burst") else ""
        yield int(limit["requests"]), f"/{figures.span(limit.get('per'))}", burst
    if int(limit["concurrency"]):
        yield int(limit["concurrency"]), " in flight", ""
    for name, unit in _CONNECTIONS.items():
        if number := (limit.get("connections") or {}).get(name):
            yield int(number), f" {unit}", ""


def _thresholds(resource: dict[str, Any]) -> Iterator[str]:
    for name, word in _RESOURCES.items():
        if thresholds := resource.get(name):
            yield f"{word} from {thresholds['enter']:g} % until below {thresholds['exit']:g} %"
