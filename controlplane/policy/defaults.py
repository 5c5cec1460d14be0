"""Defaults of the schema, filled into blocks that are present."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.sharing import share
from controlplane.model.value import Map

if TYPE_CHECKING:
    from controlplane.model.schema import Block, Field
    from controlplane.model.value import Tree, Value


def fill(tree: Tree, block: Block) -> Tree:
    """`tree` with the default of every field that it does not name, in the order of the contract.

    A default of a field that excludes others is taken only when none of them is named. A block without a
    default that is absent stays absent, and with it all that it would hold. Equal blocks are one object.
    """
    return share(_fill(tree, block))


def _fill(tree: Tree, block: Block) -> Tree:
    filled: dict[str, Value] = {}
    for field in block.fields.values():
        value = tree.get(field.name)
        if value is None and not any(name in tree for name in block.siblings(field.name)):
            value = field.default
        if value is not None:
            filled[field.name] = _fill_value(field, value)
    return filled


def _fill_value(field: Field, value: Value) -> Value:
    if field.block is None:
        return value
    if isinstance(value, Map):
        return Map((name, _fill_value(field.entry, item)) for name, item in value.items())
    if isinstance(value, tuple):
        return tuple(_fill_value(field, item) for item in value)
    return _fill(value, field.block) if isinstance(value, dict) else value
