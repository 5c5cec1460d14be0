"""Reads pods, whatever shape they have: they come from whoever may create one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

Pod: TypeAlias = Mapping[str, Any]
"""A pod, or the template of one, as JSON."""

CONTAINERS: Final = ("containers", "initContainers")
MAX_PORT: Final = 65_535


def block(tree: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The block at the path of `names`; an empty one if there is none."""
    for name in names:
        found = tree.get(name)
        tree = found if isinstance(found, Mapping) else {}
    return tree


def entries(tree: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    """The blocks listed under `name`, each at its place; an empty one for what is no block."""
    found = tree.get(name)
    return tuple(one if isinstance(one, Mapping) else {} for one in found) if isinstance(found, list) else ()


def texts(pod: Pod, name: str) -> Mapping[str, str]:
    """The labels or annotations of a pod."""
    return {key: str(value) for key, value in block(pod, "metadata", name).items()}


def port_number(text: str) -> int | None:
    """The port that a text writes in digits, if it is one; a text may be of any length."""
    is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_PORT))
    return int(text) if is_short and 0 < int(text) <= MAX_PORT else None


def containers(pod: Pod) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every container with the path of its list and its place there."""
    for name in CONTAINERS:
        for index, container in enumerate(entries(block(pod, "spec"), name)):
            yield name, index, container


def user_of(pod: Pod, container: Mapping[str, Any]) -> object:
    """The user that a container runs as, if the pod says so; else its image does."""
    own = block(container, "securityContext").get("runAsUser")
    return own if own is not None else block(pod, "spec", "securityContext").get("runAsUser")


def tcp_ports(pod: Pod) -> Iterator[tuple[str, int]]:
    """The TCP ports that the containers of the application declare, each once, with its name."""
    seen: set[int] = set()
    for container in entries(block(pod, "spec"), "containers"):
        for port in entries(container, "ports"):
            number = port.get("containerPort")
            if isinstance(number, int) and port.get("protocol", "TCP") == "TCP" and number not in seen:
                seen.add(number)
                yield str(port.get("name", "")), number
