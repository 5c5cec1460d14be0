"""Blocks of the policies' schema as OpenAPI has them: structural, and bounded everywhere."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from controlplane.model.schema import Block, Field, Format
from tests.support.crds.checks import checks_of
from tests.support.crds.explain import describe_block, describe_field
from tests.support.crds.scalars import OpenApi, scalar
from tests.support.reference import Comments


def block_schema(block: Block, comments: Comments) -> OpenApi:
    """Return the schema of a block: every field with its text, and the checks between them.

    Which defaults are stored is for the definition to say: a field that nobody wrote must stay absent where
    policies are merged.
    """
    fields = {field.name: _field(field, block, comments) for field in block.fields.values()}
    found: OpenApi = {"type": "object", "description": describe_block(block, comments), "properties": fields}
    if required := [field.name for field in block.fields.values() if field.rules.required]:
        found["required"] = required
    if _is_choice(block):
        found["minProperties"] = 1
    if checks := [*_exclusions(block), *_checks(block)]:
        found["x-kubernetes-validations"] = checks
    return found


def _field(field: Field, block: Block, comments: Comments) -> OpenApi:
    text = describe_field(field, block, comments)
    value = _single(field, comments)
    if not field.repeated:
        return {**value, "description": text}
    listed: OpenApi = {"type": "array", "description": text, "items": value, **_listing(field)}
    if field.rules.min_items:
        listed["minItems"] = field.rules.min_items
    return {**listed, "maxItems": field.rules.max_items}


def _single(field: Field, comments: Comments) -> OpenApi:
    if field.is_map:
        return _map(field, comments)
    if field.block is not None:
        return block_schema(field.block, comments)
    return scalar(field)


def _map(field: Field, comments: Comments) -> OpenApi:
    text = {"type": "string", "maxLength": field.rules.max_length}
    value = block_schema(field.block, comments) if field.block else text
    found: OpenApi = {"type": "object", "additionalProperties": value}
    if field.rules.min_items:
        found["minProperties"] = field.rules.min_items
    return {**found, "maxProperties": field.rules.max_items}


def _listing(field: Field) -> dict[str, Any]:
    """How entries of a list are told apart: blocks that begin with their name, by it."""
    if field.block is None:
        return {"x-kubernetes-list-type": "atomic"}
    first = next(iter(field.block.fields.values()))
    if first.name == "name" and first.rules.required and first.rules.format is Format.NAME:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    return {"x-kubernetes-list-type": "atomic"}


def _is_choice(block: Block) -> bool:
    """Whether exactly one of its fields is to be set: all are of one group."""
    groups = {field.rules.one_of for field in block.fields.values()}
    return len(groups) == 1 and "" not in groups


def _exclusions(block: Block) -> Iterator[OpenApi]:
    group_of = attrgetter("rules.one_of")
    for group, fields in groupby(sorted(block.fields.values(), key=group_of), group_of):
        names = [field.name for field in fields]
        if group and len(names) > 1:
            counted = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
            yield {"rule": f"{counted} <= 1", "message": f"expected at most one of {', '.join(names)}"}


def _checks(block: Block) -> Iterator[OpenApi]:
    for check in checks_of(block):
        place = {"fieldPath": f".{check.field}"} if check.field else {}
        yield {"rule": check.rule, "message": check.message, "reason": "FieldValueInvalid", **place}
