"""Trees that say the same, as one object: thousands of policies differ in a name and little else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from controlplane.model.value import Map

if TYPE_CHECKING:
    from controlplane.model.value import Tree, Value

MAX_SHARED: Final = 1_024
"""Different blocks that are remembered; past it all are forgotten, and those to come share anew."""

_blocks: Final[dict[str, Tree]] = {}  # by how they are written in Python, which tells 1 from true and 1.0


def share(tree: Tree) -> Tree:
    """A tree equal to `tree`, of which every block is the first that said the same; nobody may change it."""
    text = repr(tree)
    known = _blocks.get(text)
    if known is None:
        items = ((name, _shared(value)) for name, value in tree.items())
        known = Map(items) if isinstance(tree, Map) else dict(items)
        if len(_blocks) >= MAX_SHARED:
            _blocks.clear()
        _blocks[text] = known
    return known


def _shared(value: Value) -> Value:
    if isinstance(value, Mapping):
        return share(value)
    return tuple(map(_shared, value)) if isinstance(value, tuple) else value
