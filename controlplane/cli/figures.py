"""Figures as people read them: ages as kubectl writes them, durations, ratios, names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from controlplane.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DURATION = re.compile(r"([0-9]{1,5})(h|ms|m|s)")  # GEP-2257
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_TENTH = 0.1  # seconds; below it a tenth of a millisecond is shown
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def seconds(text: str | None) -> float | None:
    """Return the seconds of a protobuf duration such as `1.500s`; None stays None."""
    return None if not text else float(text.removesuffix("s"))


def age(text: str | None) -> str:
    """Return an age as `2s`, `3m10s` or `5h2m`: at most two units; `-` when unknown."""
    whole = seconds(text)
    return "-" if whole is None else "".join(_parts(whole)[:2])


def since(instant: str, now: datetime) -> str:
    """Return the age at `now` of an instant such as `2026-11-25T12:00:00Z`."""
    return age(f"{max((now - datetime.fromisoformat(instant)).total_seconds(), 0)}s")


def span(text: str | None) -> str:
    """Return a length of time as policies write it, such as `1h`, `1m30s` or `500ms`; `-` when unknown."""
    value = seconds(text)
    if value is None:
        return "-"
    return f"{value * 1e3:.0f}ms" if value % 1 else "".join(_parts(value))


def _parts(whole: float) -> list[str]:
    left, parts = int(whole), []
    for size, letter in _UNITS:
        if left >= size:
            parts.append(f"{left // size}{letter}")
            left %= size
    return parts or ["0s"]


def latency(text: str | None) -> str:
    """Return a latency such as `3.2ms` or `1.50s`; `-` when unknown."""
    value = seconds(text)
    if value is None:
        return "-"
    if value >= 1:
        return f"{value:.2f}s"
    return f"{value * 1e3:.0f}ms" if value >= _TENTH else f"{value * 1e3:.1f}ms"


def percent(ratio: float) -> str:
    """Return a share from 0 to 1 as a percentage."""
    return f"{ratio * 100:.2f}%"


def count(number: int, noun: str) -> str:
    """Return a number of things, such as `1 problem` or `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def service(name: Mapping[str, Any] | None) -> str:
    """Return `namespace/name`; `-` when there is none."""
    return f"{name['namespace']}/{name['name']}" if name and name.get("name") else "-"


def policy(reference: Mapping[str, Any] | None) -> str:
    """Return `Kind namespace/name`, no slash for kinds without a namespace; `-` when there is none."""
    if not reference or not reference.get("name"):
        return "-"
    place = f"{reference['namespace']}/" if reference.get("namespace") else ""
    return f"{reference['kind']} {place}{reference['name']}"


def state(value: str) -> str:
    """Return an enum value without its prefix: `BREAKER_STATE_OPEN` is `OPEN`."""
    for prefix in ("BREAKER_STATE_", "SIDECAR_STATE_"):
        value = value.removeprefix(prefix)
    return value


def health(value: str) -> str:
    """Return a verdict without its prefix; none is HEALTHY."""
    bare = value.removeprefix("HEALTH_")
    return "HEALTHY" if bare == "UNSPECIFIED" else bare


def parse_service(text: str, namespace: str) -> dict[str, str]:
    """Return the service of `name` or `namespace/name`; a `service/` before it is dropped."""
    return parse_name(text.removeprefix("service/"), namespace)


def selection(service: str, namespace: str, default: str, *, everywhere: bool) -> tuple[dict[str, Any], str]:
    """Return what to ask for, one service or all, and of all the one namespace to show; empty: every one."""
    if service:
        return {"service": parse_service(service, namespace or default)}, ""
    return {}, "" if everywhere else namespace


def within(items: Iterable[dict[str, Any]], namespace: str, *path: str) -> list[dict[str, Any]]:
    """Return the items whose service, at `path`, is of a namespace; all where it is empty."""
    return [one for one in items if namespace in {"", _at(one, *path, "service", "namespace")}]


def _at(item: Mapping[str, Any], *path: str) -> Any:
    for name in path:
        item = item[name]
    return item


def parse_name(text: str, namespace: str) -> dict[str, str]:
    """Return the namespace and name of `name` or `namespace/name`; `namespace` is that of the former."""
    place, _, name = text.rpartition("/")
    return {"namespace": place or namespace, "name": name}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as `1m30s` (GEP-2257).

    Raises:
        UsageError: the text is no such duration.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"expected a duration such as 10m or 1m30s, found {text!r}")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def scope(found: Mapping[str, Any] | None) -> str:
    """Return the route or the rule that something is said of, in brackets; nothing of a whole service."""
    return f" ({requests_of(found)})" if found else ""


def requests_of(found: Mapping[str, Any]) -> str:
    """Return `route ROUTE`, or `rule ROUTE/RULE`."""
    return f"rule {found['name']}/{found['rule']}" if found["rule"] else f"route {found['name']}"


def settings(told: Mapping[str, Any], of: str = "", *, with_defaults: bool = True) -> Iterator[list[str]]:
    """Every effective field with its value and origin, then those that would be others in shadow."""
    for found, value in zip(told["origins"], told["values"], strict=True):
        if with_defaults or found.get("policy"):
            yield [f"{of}{found['path']}", value, origin(found)]
    for found, value in zip(told["shadowOrigins"], told["shadowValues"], strict=True):
        yield [f"{of}{found['path']} (in shadow)", value, origin(found)]


def origin(found: dict[str, Any]) -> str:
    """Where a field came from: the policy and the level it is attached at."""
    name = policy(found.get("policy"))
    return "default" if name == "-" else f"{name} ({found['level']})"
