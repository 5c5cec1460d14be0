"""Text to documents: one reader for every kind, driven by the schema, that finds every problem at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from controlplane.model.document import Document, ObjectKey, Problem, enclosing
from controlplane.model.schema import API_VERSION, Block, Field, Kind, Schema, Shape
from controlplane.model.value import Tree, Value, find_text
from controlplane.policy import kinds
from controlplane.sources import rules, scalars
from controlplane.sources.nodes import Entries, Items, Node, Scalar, UnreadableError, compose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_NAMESPACE: Final = "default"
_Fault: TypeAlias = tuple[int, str, str]  # line, path, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a text holds: the sound documents in order, and every problem and warning, by line."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether there are only warnings."""
        return all(problem.warning for problem in self.problems)


def parse(text: str, file: str, schema: Schema) -> Parsed:
    """The documents of a YAML or JSON text; `file` is what problems call it."""
    documents: list[Document] = []
    problems: list[Problem] = []
    try:
        for node in compose(text):
            document, found = _read_document(node, file, schema)
            problems += found
            if document and all(problem.warning for problem in found):
                documents.append(document)
    except UnreadableError as error:
        problems.append(Problem(file=file, line=error.line, message=error.message))
    problems += _duplicates(documents)
    in_order = sorted(problems, key=lambda problem: problem.line)
    return Parsed(documents=tuple(documents), problems=tuple(in_order))


def read_value(field: Field, text: str) -> Value:
    """The value that a short YAML text writes for `field`, as the schema's own defaults are written.

    Raises:
        ValueError: it does not fit the field.
    """
    reading = _Reading()
    [node] = compose(text)
    value = reading.value(field, node, "")
    if value is None or reading.faults:
        raise ValueError(f"{field.name}: {text!r}: {reading.faults}")
    return value


def _duplicates(documents: list[Document]) -> Iterator[Problem]:
    first: dict[ObjectKey, Document] = {}
    for document in documents:
        other = first.setdefault(document.key, document)
        if other is not document:
            yield document.problem("metadata.name", f"defined before, at line {other.line}")


def _read_document(node: Node, file: str, schema: Schema) -> tuple[Document | None, list[Problem]]:
    kind, faults = _find_kind(node, schema)
    if kind is None or not isinstance(node, Entries):
        return None, [Problem(file=file, line=line, path=path, message=text) for line, path, text in faults]
    reading = _Reading()
    whole = reading.block(kind.document, node, "")
    document = Document(
        key=_key(kind, whole),
        labels=_labels(whole),
        spec=_block_of(whole, "spec"),
        file=file,
        lines=reading.lines,
    )
    problems = [
        Problem(file=file, line=line, object=str(document.key), path=path, message=text)
        for line, path, text in faults + reading.faults
    ]
    problems += [document.problem(path, text, warning=True) for path, text in reading.warnings]
    return document, problems + _cross_field(document, kind, reading.broken)


def _cross_field(document: Document, kind: Kind, broken: set[str]) -> list[Problem]:
    """What the kind itself finds, but for blocks that could not be read whole."""
    found = [*_metadata(document, kind), *kinds.validate(document)]
    return [problem for problem in found if not {problem.path, enclosing(problem.path)} & broken]


def _metadata(document: Document, kind: Kind) -> Iterator[Problem]:
    if kind.cluster_scoped and "metadata.namespace" in document.lines:
        yield document.problem("metadata.namespace", f"a {kind.name} has no namespace; leave it out")
    if kind.singleton and document.key.name not in {"", "default"}:
        yield document.problem("metadata.name", f"the only {kind.name} is named default")


def _find_kind(node: Node, schema: Schema) -> tuple[Kind | None, list[_Fault]]:
    """The kind that a document says it is, and what is wrong with how it says it."""
    if not isinstance(node, Entries):
        return None, [(node.line, "", "expected a document with apiVersion, kind, metadata and spec")]
    written = {key.text: value for key, value in node.entries}
    faults: list[_Fault] = []
    for name, known in (("apiVersion", (API_VERSION,)), ("kind", tuple(schema.kinds))):
        value = written.get(name)
        choices = ", ".join(known)
        if value is None:
            faults.append((node.line, name, f"required; expected {choices}"))
        elif not isinstance(value, Scalar) or value.text not in known:
            text = value.text if isinstance(value, Scalar) else ""
            hint = scalars.suggestion(text, known) if len(known) > 1 else ""
            faults.append((value.line, name, f"expected one of {choices}, found '{text[:80]}'{hint}"))
    kind = written.get("kind")
    return schema.kinds.get(kind.text) if isinstance(kind, Scalar) else None, faults


def _key(kind: Kind, whole: Tree) -> ObjectKey:
    namespace = find_text(whole, "metadata.namespace") or DEFAULT_NAMESPACE
    return ObjectKey(
        kind=kind.name,
        namespace="" if kind.cluster_scoped else namespace,
        name=find_text(whole, "metadata.name"),
    )


def _labels(whole: Tree) -> Mapping[str, str]:
    labels = _block_of(_block_of(whole, "metadata"), "labels")
    return {name: value for name, value in labels.items() if isinstance(value, str)}


def _block_of(tree: Tree, name: str) -> Tree:
    value = tree.get(name)
    return value if isinstance(value, dict) else {}


class _Reading:
    """One pass over a document: the values it could read, their lines, and all that is wrong."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.faults: list[_Fault] = []
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
            place = f"{path}.{key.text}" if path else key.text
            if key.text in seen:
                self._fault(key.line, place, f"written before, at line {seen[key.text]}")
                continue
            seen[key.text] = key.line
            value = self._member(block, key, child, place)
            if value is not None:
                tree[key.text] = value
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
            hint = scalars.suggestion(key.text, block.fields) or f"; known are {', '.join(block.fields)}"
            self.faults.append((key.line, place, f"unknown field{hint}"))
            return None
        value = self.value(field, child, place)
        if value is None and field.shape is Shape.BLOCK and isinstance(child, Scalar) and child.is_null:
            self.lines[place] = key.line
            self.warnings.append((place, "empty, which is as if it were absent; for its defaults write {}"))
        return value

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
        values = [self._item(field, item, f"{path}[{index}]") for index, item in enumerate(node.items)]
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
        if field.shape is Shape.LABELS:
            return self._labels(field, node, path)
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

    def _labels(self, field: Field, node: Node, path: str) -> Value | None:
        if not isinstance(node, Entries):
            self._fault(node.line, path, f"expected a map of strings, found {_kind_of(node)}")
            return None
        for message in rules.check_count(field, len(node.entries)):
            self._fault(node.line, path, message)
        text = Field(name=field.name, shape=Shape.STRING)
        fields = {key.text: text for key, _ in node.entries}
        return self.block(Block(name=field.name, fields=fields), node, path)

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
