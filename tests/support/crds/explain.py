"""What `kubectl explain` says of a field: the comment in the contract, its default, its words."""

import re

from controlplane.model.schema import Block, Field
from controlplane.model.text import value_text
from tests.support.reference import Comments, bounds, default


def describe_field(field: Field, block: Block, comments: Comments) -> str:
    """Return the meaning of a field, its words, what bounds it and its default, in sentences."""
    comment = comments[f"{block.name}.{field.name}"]
    words = comments[f"{block.name}.{field.name}.words"]
    meaning = comment.partition(" Set by ")[0]
    parts = (meaning, words, bounds(field, block).strip(), _default(field, comment))
    return re.sub(r"`([^`]*)`", r"\1", " ".join(part for part in parts if part))


def describe_block(block: Block, comments: Comments) -> str:
    """Return what a block is for."""
    return comments[block.name]


def _default(field: Field, comment: str) -> str:
    if field.rules.required:
        return "Required."
    text = default(field, comment)
    if field.default == {}:
        return "Always there, with its own defaults."
    if field.default is not None:
        text = value_text(field.default, field)
    return f"Default: {text}." if text else ""
