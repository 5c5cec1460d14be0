"""One block laid over another.

Blocks are merged field by field, lists whose entries have names entry by entry; other lists are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lay_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with all that `over` says in place of its own."""
    merged = dict(base)
    for name, value in over.items():
        merged[name] = _merged(merged.get(name), value)
    return merged


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return lay_over(base, over)
    if isinstance(base, list) and isinstance(over, list) and _is_named(base) and _is_named(over):
        return _merged_entries(base, over)
    return over


def _merged_entries(base: list[Any], over: list[Any]) -> list[Any]:
    entries = {entry["name"]: entry for entry in base}
    for entry in over:
        entries[entry["name"]] = lay_over(entries.get(entry["name"], {}), entry)
    return list(entries.values())


def _is_named(entries: list[Any]) -> bool:
    return all(isinstance(entry, Mapping) and isinstance(entry.get("name"), str) for entry in entries)
