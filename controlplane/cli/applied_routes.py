"""Rules of routes as sidecars have them in force, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controlplane.cli import figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS: Final = ("SERVICE", "DIRECTION", "RULE", "MATCHES", "BACKEND", "POLICIES", "SIDECAR")


def rows(sidecar: str, route: dict[str, Any]) -> Iterator[list[str]]:
    """A row for every place where the requests of a rule go."""
    ports = ",".join(map(str, route["ports"]))
    for backend in route["backends"]:
        yield [
            figures.service(route["service"]) + (f":{ports}" if ports else ""),
            route["direction"].removeprefix("DIRECTION_").lower(),
            f"{figures.service(route['route'])}/{route['rule']}",
            " or ".join(route["matches"]) or "*",
            _backend(backend, route["mirrors"]),
            _policies(backend),
            sidecar,
        ]


def _backend(backend: dict[str, Any], mirrors: Iterable[dict[str, Any]]) -> str:
    """Where requests go with their share, and where copies of them do."""
    service = figures.service(backend["service"]) if backend.get("service") else "nowhere: refused"
    port = f":{backend['port']}" if backend["port"] else ""
    copies = [
        f"copied to {figures.service(one['service'])}:{one['port']} {one['numerator']}/{one['denominator']}"
        for one in mirrors
    ]
    return ", ".join([f"{service}{port} x{backend['weight']}", *copies])


def _policies(backend: dict[str, Any]) -> str:
    """What is in force there, as in `shop/cart (retry, timeouts), shop/caps (limits in shadow)`."""
    if not backend["isHeld"]:
        return "not called yet" if backend.get("service") else "-"
    blocks: dict[str, list[str]] = {}
    for one in backend["policies"]:
        shadow = " in shadow" if one["isShadow"] else ""
        blocks.setdefault(figures.policy(one["policy"]), []).append(one["block"] + shadow)
    return ", ".join(f"{policy} ({', '.join(names)})" for policy, names in sorted(blocks.items())) or "-"
