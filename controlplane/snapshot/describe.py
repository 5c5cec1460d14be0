"""Effective settings as rows that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.model.text import field_at, value_text
from controlplane.model.value import Map, find

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from controlplane.model.effective import FieldOrigin, OutboundVariant
    from controlplane.model.resource import Inbound, InboundBackpressure, RouteBackpressure
    from controlplane.model.schema import Block, Schema
    from controlplane.model.value import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effective field: its path, its value as YAML, and where it came from."""

    path: str
    value: str
    origin: FieldOrigin


def rows(tree: Tree, origins: Iterable[FieldOrigin], block: Block) -> Iterator[Row]:
    """Every effective field of a tree, in the order of its origins; a block written as {} is one too."""
    for origin in origins:
        value = find(tree, origin.path)
        if value is not None:
            is_block = isinstance(value, Mapping) and not isinstance(value, Map)
            text = "{}" if is_block else value_text(value, field_at(block, origin.path))
            yield Row(path=origin.path, value=text, origin=origin)


def outbound_rows(variant: OutboundVariant, schema: Schema) -> tuple[Row, ...]:
    """Every effective field of a variant."""
    return tuple(rows(variant.resilience, variant.origins, schema.blocks["Resilience"]))


def outbound_shadow(variant: OutboundVariant, schema: Schema) -> tuple[Row, ...]:
    """The fields that would be others, if the policies in shadow acted too."""
    if variant.shadow is None:
        return ()
    found = rows(variant.shadow, variant.shadow_origins, schema.blocks["Resilience"])
    return _others(found, outbound_rows(variant, schema))


def inbound_rows(fronts: Inbound | RouteBackpressure, schema: Schema) -> tuple[Row, ...]:
    """Every effective field of what stands in front of an application; none where nothing does."""
    return _front_rows(fronts.backpressure, schema)


def inbound_shadow(fronts: Inbound | RouteBackpressure, schema: Schema) -> tuple[Row, ...]:
    """The fields that would be others, if the policies in shadow acted too."""
    return _others(shadow_rows(fronts, schema), inbound_rows(fronts, schema))


def shadow_rows(fronts: Inbound | RouteBackpressure, schema: Schema) -> tuple[Row, ...]:
    """Every effective field, if the policies in shadow acted too; none where no policy is in shadow."""
    return _front_rows(fronts.shadow_backpressure, schema)


def _others(found: Iterable[Row], known: Container[Row]) -> tuple[Row, ...]:
    return tuple(row for row in found if row not in known)


def _front_rows(front: InboundBackpressure | None, schema: Schema) -> tuple[Row, ...]:
    if front is None:
        return ()
    return tuple(rows(front.settings, front.origins, schema.blocks["Backpressure"]))
