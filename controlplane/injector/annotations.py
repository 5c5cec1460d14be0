"""What a pod may ask for by annotations: a closed list, each with its type and range.

Image, command, user and capabilities are not among them: whoever may annotate a pod may not thereby run
something else in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Final, TypeAlias

from controlplane.injector.names import PREFIX, PROFILE, STATUS
from controlplane.injector.pod import port_number
from controlplane.model.codes import Code
from controlplane.model.document import Problem
from controlplane.model.quantity import parse_quantity
from controlplane.model.value import parse_duration, parse_network
from controlplane.policy.sidecar_profile import Capture, Native, Profile, exceeding

_MAX_ITEMS: Final = 64
_MAX_DELAY_SECONDS: Final = 300
_OF_REDIRECT: Final = (f"{PREFIX}skip-", f"{PREFIX}opaque-ports", f"{PREFIX}app-protocol")
_LEVELS: Final = ("error", "warn", "info", "debug")
_SPOKEN: Final = {
    **dict.fromkeys(("http", "http2", "grpc"), "http"),
    **dict.fromkeys(("tls", "tcp"), "tcp"),
    "detect": "detect",
}
"""What the sidecar calls what is spoken."""

Apply: TypeAlias = Callable[[Profile, str], Profile]
"""A profile with what an annotation says in place of its own; ValueError if it says nothing of the kind."""


def read(annotations: Mapping[str, str], profile: Profile) -> tuple[Profile, list[Problem]]:
    """What a pod with these annotations gets where `profile` holds, and all that is wrong with them."""
    problems: list[Problem] = []
    ours = {name: text for name, text in annotations.items() if name.startswith(PREFIX)}
    if len(ours) > _MAX_ITEMS:
        message = f"expected at most {_MAX_ITEMS} under {PREFIX}, found {len(ours)}"
        return profile, [Problem(path="metadata.annotations", message=message, code=Code.NOT_INJECTABLE)]
    for name, text in sorted(ours.items()):
        if name in {STATUS, PROFILE}:
            continue
        if name not in _TABLE:
            problems.append(_problem(name, f"there is no such annotation{_suggestion(name)}"))
            continue
        expected, apply = _TABLE[name]
        try:
            profile = apply(profile, text.strip())
        except ValueError:
            problems.append(_problem(name, f"expected {expected}, found '{text[:80]}'"))
    return profile, [*problems, *_contradictions(annotations, profile)]


def _problem(name: str, message: str) -> Problem:
    return Problem(path=f"metadata.annotations[{name}]", message=message, code=Code.NOT_INJECTABLE)


def _suggestion(name: str) -> str:
    known = sorted(known.removeprefix(PREFIX) for known in _TABLE)
    near = get_close_matches(name.removeprefix(PREFIX), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _contradictions(annotations: Mapping[str, str], profile: Profile) -> list[Problem]:
    skipped = [name for name in sorted(annotations) if name.startswith(_OF_REDIRECT)]
    unused = skipped if profile.capture is Capture.EXPLICIT else []
    problems = [
        _problem(name, "nothing is redirected here; it needs breakwater.dev/capture: Redirect")
        for name in unused
        if name in _TABLE
    ]
    exceeded = [_problem(f"{PREFIX}proxy-{resource}", message) for resource, message in exceeding(profile)]
    return [*problems, *exceeded]


def _quantity(block: str, resource: str, least: str, most: str) -> tuple[str, Apply]:
    def apply(profile: Profile, text: str) -> Profile:
        if not parse_quantity(least) <= parse_quantity(text) <= parse_quantity(most):
            raise ValueError(text)
        if block == "requests":
            return replace(profile, requests={**profile.requests, resource: text})
        return replace(profile, limits={**profile.limits, resource: text})

    return f"a quantity from {least} to {most}", apply


def _items(text: str) -> list[str]:
    items = [item.strip() for item in text.split(",")]
    if len(items) > _MAX_ITEMS:
        raise ValueError(text)
    return items


def _ports(text: str) -> tuple[int, ...]:
    found = [port_number(item) for item in _items(text)]
    numbers = {number for number in found if number is not None}
    if None in found:
        raise ValueError(text)
    return tuple(sorted(numbers))


def _cidrs(text: str) -> tuple[str, ...]:
    return tuple(str(parse_network(item)) for item in _items(text))


def _seconds(text: str) -> int:
    seconds = parse_duration(text).seconds
    if seconds > _MAX_DELAY_SECONDS or seconds != int(seconds):
        raise ValueError(text)
    return int(seconds)


def _level(text: str) -> str:
    if text not in _LEVELS:
        raise ValueError(text)
    return text


def _protocols(text: str) -> tuple[tuple[int, str], ...]:
    pairs = [item.partition("=") for item in _items(text)]
    spoken = {number: _SPOKEN.get(word.strip()) for port, _, word in pairs for number in _ports(port)}
    if len(spoken) < len(pairs) or None in spoken.values():
        raise ValueError(text)
    return tuple(sorted((number, word) for number, word in spoken.items() if word))


def _native(text: str) -> Native:
    if text not in {"true", "false"}:
        raise ValueError(text)
    return Native.ALWAYS if text == "true" else Native.NEVER


_PORTS: Final = f"at most {_MAX_ITEMS} ports with commas between them"
_TABLE: Final[Mapping[str, tuple[str, Apply]]] = {
    f"{PREFIX}proxy-cpu": _quantity("requests", "cpu", "1m", "64"),
    f"{PREFIX}proxy-cpu-limit": _quantity("limits", "cpu", "10m", "64"),
    f"{PREFIX}proxy-memory": _quantity("requests", "memory", "16Mi", "16Gi"),
    f"{PREFIX}proxy-memory-limit": _quantity("limits", "memory", "32Mi", "16Gi"),
    f"{PREFIX}capture": (
        "Explicit or Redirect",
        lambda profile, text: replace(profile, capture=Capture(text)),
    ),
    f"{PREFIX}skip-inbound-ports": (
        _PORTS,
        lambda profile, text: replace(profile, exclude_inbound_ports=_ports(text)),
    ),
    f"{PREFIX}skip-outbound-ports": (
        _PORTS,
        lambda profile, text: replace(profile, exclude_outbound_ports=_ports(text)),
    ),
    f"{PREFIX}skip-outbound-cidrs": (
        f"at most {_MAX_ITEMS} addresses or CIDR blocks with commas between them",
        lambda profile, text: replace(profile, exclude_outbound_cidrs=_cidrs(text)),
    ),
    f"{PREFIX}opaque-ports": (
        _PORTS,
        lambda profile, text: replace(profile, opaque_ports=_ports(text)),
    ),
    f"{PREFIX}app-protocol": (
        f"at most {_MAX_ITEMS} times PORT=PROTOCOL with commas between, of {', '.join(_SPOKEN)}",
        lambda profile, text: replace(profile, app_protocols=_protocols(text)),
    ),
    f"{PREFIX}log-level": (
        f"one of {', '.join(_LEVELS)}",
        lambda profile, text: replace(profile, log_level=_level(text)),
    ),
    f"{PREFIX}drain-delay": (
        f"whole seconds up to {_MAX_DELAY_SECONDS}s, such as 5s",
        lambda profile, text: replace(profile, drain_delay_seconds=_seconds(text)),
    ),
    f"{PREFIX}native-sidecar": (
        "true or false",
        lambda profile, text: replace(profile, native=_native(text)),
    ),
}
