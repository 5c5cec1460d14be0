"""JSON patches (RFC 6902): the two operations that injection needs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Operation(NamedTuple):
    """Adds `value` at a path, or removes what is there; the path is names and places in lists."""

    op: Literal["add", "remove"]
    path: tuple[str | int, ...]
    value: Any = None

    def as_json(self) -> Mapping[str, Any]:
        """How it is written in a patch."""
        path = "".join(f"/{_escaped(str(part))}" for part in self.path)
        found = {"op": self.op, "path": path}
        return found if self.op == "remove" else {**found, "value": self.value}


def apply(document: Mapping[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """The document after the operations, each of which must fit; the given one stays as it is."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for operation in operations:
        *way, last = operation.path
        place: Any = changed
        for part in way:
            place = place[part]
        if operation.op == "remove":
            del place[last]
        elif isinstance(place, list) and isinstance(last, int):
            place.insert(last, copy.deepcopy(operation.value))
        else:
            place[last] = copy.deepcopy(operation.value)
    return changed


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
