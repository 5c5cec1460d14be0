"""Nodes to typed values, by the schema, noting every line and every fault on the way.

Names and paths are interned: thousands of documents write the same ones.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

from controlplane.model.document import enclosing
from controlplane.model.schema import Block, Field, Shape
from controlplane.model.value import Map
from controlplane.sources import rules, scalars
from controlplane.sources.nodes import Entries, Items, Node, Scalar, compose

if TYPE_CHECKING:
    from controlplane.model.value import Tree, Value

_HINTS_MAX = 100  # a hint takes as long as reading a document

Fault: TypeAlias = tuple[int, str, str]
"""What is wrong with a value: line, path, message."""


def read_value(field: Field, text: str) -> Value:
    """The value that a short YAML text writes for `field`, as the schema's own defaults are written.

    Raises:
        ValueError: it does not fit the field.
    """
    reading = Reading()
    [node] = compose(text)
    value = reading.value(field, node, "")
    if value is None or reading.faults:
        raise ValueError(f"{field.name}: {text!r}: {reading.faults}")
    return value


class Reading:
    """One pass over a document: the values it could read, their lines, and all that is wrong."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.broken: set[str] = set()  # blocks and lists with a value that could not be read
        self.warnings: list[tuple[str, str]] = []

    def block(self, block: Block, node: Node, path: str) -> Tree:
        """The fields of a block that could be read."""
        self.lines[path] = node.line
        if not isinstance(node, Entries):
            self._fault(node.line, path, f"expected a block of fields, found {_kind_of(node)}")
            return {}
        tree: dict[str, Value] = {}
        seen: dict[str, int] = {}
        for key, child in node.entries:
            place = sys.intern(f"{path}.{key.text}" if path else key.text)
            if key.text in seen:
                self._fault(key.line, place, f"written before, at line {seen[key.text]}")
                continue
            seen[key.text] = key.line
            value = self._member(block, key, child, place)
            if value is not None:
                tree[sys.intern(key.text)] = value
        self._check_members(block, seen, node, path)
        return tree

    def value(self, field: Field, node: Node, path: str) -> Value | None:
        """The value of a field, or `None` when nothing or nothing readable is written."""
        if isinstance(node, Scalar) and node.is_null:
            return None
        self.lines[path] = node.line
        if field.repeated:
            return self._list(field, node, path)
        return self._single(field, node, path)

    def _member(self, block: Block, key: Scalar, child: Node, place: str) -> Value | None:
        field = block.fields.get(key.text)
        if field is None:
            hint = self._hint(key.text, block) if len(self.faults) < _HINTS_MAX else ""
            self.faults.append((key.line, place, f"unknown field{hint}"))
            return None
        value = self.value(field, child, place)
        if value is None and field.shape is Shape.BLOCK and isinstance(child, Scalar) and child.is_null:
            self.lines[place] = key.line
            self.warnings.append((place, "empty, which is as if it were absent; for its defaults write {}"))
        return value

    @staticmethod
    def _hint(text: str, block: Block) -> str:
        return scalars.suggestion(text, block.fields) or f"; known are {', '.join(block.fields)}"

    def _check_members(self, block: Block, seen: dict[str, int], node: Entries, path: str) -> None:
        groups: dict[str, str] = {}
        for field in block.fields.values():
            place = f"{path}.{field.name}" if path else field.name
            group = field.rules.one_of
            if field.rules.required and self._is_absent(field.name, node):
                self._fault(node.line, place, "required")
            elif group and field.name in seen:
                other = groups.setdefault(group, field.name)
                if other != field.name:
                    self._fault(seen[field.name], place, f"excludes {other}; set one of them")

    @staticmethod
    def _is_absent(name: str, node: Entries) -> bool:
        values = [value for key, value in node.entries if key.text == name]
        return all(isinstance(value, Scalar) and value.is_null for value in values)

    def _list(self, field: Field, node: Node, path: str) -> Value | None:
        if not isinstance(node, Items):
            self._fault(node.line, path, f"expected a list, found {_kind_of(node)}")
            return None
        for message in rules.check_count(field, len(node.items)):
            self._fault(node.line, path, message)
        items = node.items[: field.rules.max_items]  # what is more was refused just now, and is not looked at
        values = [self._item(field, item, f"{path}[{index}]") for index, item in enumerate(items)]
        return tuple(value for value in values if value is not None)

    def _item(self, field: Field, node: Node, path: str) -> Value | None:
        self.lines[path] = node.line
        if isinstance(node, Scalar) and node.is_null:
            self._fault(node.line, path, f"expected {scalars.expected(field)}, found nothing")
            return None
        return self._single(field, node, path)

    def _single(self, field: Field, node: Node, path: str) -> Value | None:
        if field.shape is Shape.BLOCK and field.block is not None:
            return self.block(field.block, node, path)
        if field.is_map:
            return self._map(field, node, path)
        if not isinstance(node, Scalar):
            self._fault(node.line, path, f"expected {scalars.expected(field)}, found {_kind_of(node)}")
            return None
        return self._scalar(field, node, path)

    def _scalar(self, field: Field, node: Scalar, path: str) -> Value | None:
        try:
            value = scalars.read(field, node)
        except scalars.MismatchError as error:
            self._fault(node.line, path, str(error))
            return None
        faults = list(rules.check(field, value))
        for message in faults:
            self._fault(node.line, path, message)
        return None if faults else value

    def _map(self, field: Field, node: Node, path: str) -> Value | None:
        if not isinstance(node, Entries):
            self._fault(node.line, path, f"expected {field.shape.value}, found {_kind_of(node)}")
            return None
        for message in rules.check_count(field, len(node.entries)):
            self._fault(node.line, path, message)
        for key, _ in node.entries:
            for message in rules.check_key(field, key.text):
                self._fault(key.line, f"{path}.{key.text}", message)
        fields = {key.text: field.entry for key, _ in node.entries}
        return Map(self.block(Block(name=field.name, fields=fields), node, path))

    def _fault(self, line: int, path: str, message: str) -> None:
        self.faults.append((line, path, message))
        self.broken.add(enclosing(path))


def _kind_of(node: Node) -> str:
    match node:
        case Scalar():
            return scalars.found(node)
        case Items():
            return "a list"
        case Entries():
            return "a block"
