"""Effective settings as rows that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.model.text import field_at, value_text
from controlplane.model.value import find

if TYPE_CHECKING:
    from controlplane.model.resource import FieldOrigin, OutboundVariant
    from controlplane.model.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effective field: its path, its value as YAML, and where it came from."""

    path: str
    value: str
    origin: FieldOrigin


def rows(variant: OutboundVariant, schema: Schema) -> tuple[Row, ...]:
    """Every effective field of a variant, sorted by path; a block that somebody wrote as {} is one too."""
    block = schema.blocks["Resilience"]
    found = []
    for origin in variant.origins:
        value = find(variant.resilience, origin.path)
        if value is not None:
            text = "{}" if isinstance(value, Mapping) else value_text(value, field_at(block, origin.path))
            found.append(Row(path=origin.path, value=text, origin=origin))
    return tuple(found)
