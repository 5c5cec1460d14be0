"""Documents that break one rule of the schema each, for every field there is, made from the schema itself."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from controlplane.model.schema import API_VERSION, Block, Field, Format, Kind, Shape

Tree: TypeAlias = dict[str, Any]

_OF_FORMAT: Final = {
    Format.NAME: "a",
    Format.HEADER_NAME: "x-a",
    Format.CIDR: "10.0.0.0/8",
    Format.CONDITION: "Reset",
}
_CANDIDATES: Final = ("a", "/a", "GET", "Service", "ServiceAccount", "10.0.0.1", "1", "2xx")
_SAMPLES: Final = {Shape.BOOLEAN: True, Shape.DURATION: "1s", Shape.LABELS: {"a": "b"}}
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """A document, and the path of what is wrong with it."""

    path: str
    document: Mapping[str, Any]


def minimal(kind: Kind) -> Tree:
    """Return the smallest document of a kind that keeps to every rule of a field."""
    metadata = {"name": "default" if kind.singleton else "spoilt"}
    if not kind.cluster_scoped:
        metadata["namespace"] = "default"
    spec = _block(kind.spec)
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": spec}


def spoilt(kind: Kind) -> Iterator[Spoilt]:
    """Yield documents that break one rule each."""
    for path, spec in _spoilt_block(kind.spec, "spec", 0):
        yield Spoilt(path=path, document={**minimal(kind), "spec": spec})


def _spoilt_block(block: Block, path: str, depth: int) -> Iterator[tuple[str, Tree]]:
    whole = _block(block)
    yield f"{path}.unheardOf", {**whole, "unheardOf": 1}
    for field in block.fields.values():
        place, siblings = f"{path}.{field.name}", block.siblings(field.name)
        rest = {name: value for name, value in whole.items() if name not in siblings}
        if field.rules.required:
            yield place, {name: value for name, value in rest.items() if name != field.name}
        for inner, value in _spoilt_field(field, place, depth):
            yield inner, {**rest, field.name: value}


def _spoilt_field(field: Field, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if field.repeated:
        yield path, _single(field)
        yield path, [_single(field)] * (field.rules.max_items + 1)
        if field.rules.min_items:
            yield path, []
        for inner, value in _spoilt_single(field, f"{path}[0]", depth):
            yield inner, [value]
    else:
        yield path, [_single(field)]
        yield from _spoilt_single(field, path, depth)


def _spoilt_single(field: Field, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if field.shape is Shape.MAP:
        yield from _spoilt_map(field, path, depth)
    elif field.block is not None:
        yield path, "a text"
        if depth < _DEEPEST:
            yield from _spoilt_block(field.block, path, depth + 1)
    elif field.shape is Shape.LABELS:
        yield path, {f"a{number}": "b" for number in range(field.rules.max_items + 1)}
    else:
        yield from ((path, value) for value in _wrong_scalars(field))


def _spoilt_map(field: Field, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    yield path, {}
    yield path, {"a" * length: _single(field.entry) for length in range(1, field.rules.max_items + 2)}
    for inner, value in _spoilt_single(field.entry, f"{path}.a", depth):
        yield inner, {"a": value}


def _wrong_scalars(field: Field) -> Iterator[Any]:
    yield {"a": "block"}
    match field.shape:
        case Shape.STRING:
            yield from _wrong_texts(field)
        case Shape.INTEGER | Shape.NUMBER:
            yield from ("many", *_out_of_range(field))
        case Shape.DURATION:
            yield from ("soon", "1d", 5, *(f"{bound}s" for bound in _out_of_range(field) if bound >= 0))
        case Shape.BOOLEAN:
            yield from ("true", *([False] if field.rules.filled else []))
        case _:
            yield "Nonsense"


def _wrong_texts(field: Field) -> Iterator[Any]:
    rules = field.rules
    if rules.format is not Format.CONDITION:
        yield True
        yield "a" * (rules.max_length + 1)
    if rules.format is not Format.PLAIN or rules.pattern:
        yield "not that !"
    if rules.filled:
        yield ""


def _out_of_range(field: Field) -> Iterator[int]:
    rules, percent = field.rules, field.rules.format is Format.PERCENT
    if rules.positive:
        yield 0
    if rules.minimum is not None and rules.minimum >= 1:
        yield int(rules.minimum) - 1
    if field.shape is Shape.INTEGER or percent or rules.minimum is not None:
        yield -1
    if rules.maximum is not None or percent:
        yield int(rules.maximum or 100) + 1


def _block(block: Block) -> Tree:
    """A block with no more than it needs: what is required, and one of those that exclude each other."""
    found = {field.name: _value(field) for field in block.fields.values() if field.rules.required}
    groups = {field.rules.one_of for field in block.fields.values()}
    if not found and groups and "" not in groups:
        first = next(iter(block.fields.values()))
        found[first.name] = _value(first)
    return found


def _value(field: Field) -> Any:
    return [_single(field)] * max(field.rules.min_items, 1) if field.repeated else _single(field)


def _single(field: Field) -> Any:
    if field.shape is Shape.MAP:
        return {"a": _single(field.entry)}
    if field.block is not None:
        return _block(field.block)
    match field.shape:
        case Shape.WORD:
            return field.words[0]
        case Shape.INTEGER | Shape.NUMBER:
            return int(field.rules.minimum or 1)
        case Shape.STRING:
            return _text(field)
        case _:
            return _SAMPLES[field.shape]


def _text(field: Field) -> str:
    rules = replace(field.rules, pattern=field.rules.pattern or ".*")
    of_format = _OF_FORMAT.get(rules.format)
    candidates = (*_CANDIDATES, rules.pattern.partition("|")[0])
    return of_format or next(text for text in candidates if re.fullmatch(rules.pattern, text))
