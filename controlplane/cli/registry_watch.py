"""`registry watch`: what changes in the registry, as it happens."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import yaml

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import UnreachableError
from controlplane.cli.output import API_VERSION, Format
from controlplane.cli.registry import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY_SECONDS = 1.0
_WIDTHS = (8, 24, 24)
_HEADING = ("CHANGE", "SERVICE", "ENDPOINT", "STATE")


def watch(
    *,
    namespace: options.Namespace = "",
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show what changes in the registry until interrupted, beginning with what there is."""
    seen, is_told = Seen(), False
    if output not in {Format.JSON, Format.YAML}:
        _print_row(*_HEADING)
    while True:
        request = {"watch": {"namespace": namespace, "afterRevision": seen.revision}}
        try:
            with AdminClient(admin) as client:
                for answer in client.stream("WatchMeshServices", request):
                    is_told = False
                    _show(answer["change"], seen, output)
        except UnreachableError:
            if seen.revision == "0":
                raise
            if not is_told:
                is_told = True
                print("the control plane is away, and asked again until it is back", file=sys.stderr)
        time.sleep(_RETRY_SECONDS)


class Seen:
    """The services as they were last told, and how far."""

    def __init__(self) -> None:
        self.revision = "0"
        self._services: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()

    def rows(self, change: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
        """Yield a row for everything that a message changes."""
        if change["mark"] == "MARK_UNSPECIFIED":
            name = figures.service(change["service"]["name"])
            after = None if change["removed"] else change["service"]
            self._told.add(name)
            yield from self._replace(name, after)
            return
        if change["mark"] == "MARK_ALL":
            for name in sorted(self._services.keys() - self._told):
                yield from self._replace(name, None)
        self.revision = change["revision"]
        self._told.clear()

    def _replace(self, name: str, after: dict[str, Any] | None) -> Iterator[tuple[str, str, str, str]]:
        before = self._services.pop(name, None)
        if after is not None:
            self._services[name] = after
        is_first = self.revision == "0"
        if after and (before is None or _contract(before) != _contract(after)):
            yield (
                ("present" if is_first else "changed" if before else "appeared"),
                name,
                "-",
                _contract(after),
            )
        yield from _endpoint_rows(name, before, after, "present" if is_first else "joined")
        if before and after is None:
            yield "gone", name, "-", "-"


def _endpoint_rows(
    name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, joined: str
) -> Iterator[tuple[str, str, str, str]]:
    was, now = (
        {one["instance"]: _state(one) for one in (side or {}).get("endpoints", ())}
        for side in (before, after)
    )
    for instance in sorted(was.keys() | now.keys()):
        if instance not in now:
            yield "left", name, instance, "-"
        elif instance not in was:
            yield joined, name, instance, now[instance]
        elif was[instance] != now[instance]:
            yield "changed", name, instance, now[instance]


def _state(endpoint: dict[str, Any]) -> str:
    parts = (endpoint["address"], pairs(endpoint["ports"], ":"), figures.health(endpoint["health"]))
    labels = pairs(endpoint["labels"], "=")
    return " ".join((*parts, labels) if endpoint["labels"] else parts)


def _contract(service: dict[str, Any]) -> str:
    contract = service.get("contract") or {}
    ports = ",".join(f"{port['name']}:{port['port']}" for port in service["ports"])
    promised = (f"{word} {contract[word]}" for word in ("version", "owner") if contract.get(word))
    return " ".join((ports or "-", *promised))


def _show(change: dict[str, Any], seen: Seen, output: Format) -> None:
    rows = list(seen.rows(change))
    document = {"apiVersion": API_VERSION, "kind": "RegistryChange", **change}
    if output is Format.JSON:
        print(json.dumps(document), flush=True)
    elif output is Format.YAML:
        print(f"---\n{yaml.safe_dump(document, sort_keys=False)}", end="", flush=True)
    else:
        for row in rows:
            _print_row(*row)


def _print_row(*cells: str) -> None:
    *padded, last = cells
    print(*(f"{cell:{width}}" for cell, width in zip(padded, _WIDTHS, strict=True)), last, flush=True)
