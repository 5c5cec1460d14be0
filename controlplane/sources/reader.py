"""Text to documents: one reader for every kind, driven by the schema, that finds every problem at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.document import Document, ObjectKey, Problem, enclosing
from controlplane.model.sharing import share
from controlplane.model.value import Tree, find_text
from controlplane.policy import kinds
from controlplane.sources import scalars
from controlplane.sources.blocks import Fault, Reading
from controlplane.sources.nodes import Entries, Node, Scalar, UnreadableError, compose_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from controlplane.model.schema import Kind, Schema

PROBLEMS_MAX: Final = 1_000
DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a text holds: the sound documents in order, and every problem and warning, by line.

    Of an object that is defined twice no version is sound.
    """

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
    for node in compose_each(text):
        if isinstance(node, UnreadableError):
            problems.append(Problem(file=file, line=node.line, message=node.message))
            continue
        document, found = _read_document(node, file, schema)
        problems += found
        if document and all(problem.warning for problem in found):
            documents.append(document)
    repeated = {key for key, count in Counter(each.key for each in documents).items() if count > 1}
    problems += _duplicates(each for each in documents if each.key in repeated)
    return Parsed(
        documents=tuple(each for each in documents if each.key not in repeated),
        problems=tuple(_bounded(sorted(problems, key=lambda problem: problem.line))),
    )


def _bounded(problems: list[Problem]) -> Iterator[Problem]:
    """As many as anybody mends at once, and one for the rest, as bad as the worst of it."""
    yield from problems[:PROBLEMS_MAX]
    if rest := problems[PROBLEMS_MAX:]:
        worst = next((problem for problem in rest if not problem.warning), rest[0])
        message = f"{len(rest)} more follow; mend those before first"
        yield Problem(file=worst.file, line=rest[0].line, message=message, code=worst.code)


def parse_bytes(content: bytes, file: str, schema: Schema) -> Parsed:
    """The documents of a file that holds `content`."""
    text = decode(content, file)
    return parse(text, file, schema) if isinstance(text, str) else Parsed(problems=(text,))


def decode(content: bytes, file: str) -> str | Problem:
    """The text of a file that holds `content`, or what is wrong with it."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8, found the byte {content[error.start]:#04x}"
        return Problem(file=file, line=line, message=message)


def date(parsed: Parsed, written_at: datetime) -> Parsed:
    """The same, with what expires dated: it begins when it was written."""
    documents = (
        replace(each, written_at=written_at) if "expiresAfter" in each.spec else each
        for each in parsed.documents
    )
    return replace(parsed, documents=tuple(documents))


def _duplicates(documents: Iterable[Document]) -> Iterator[Problem]:
    first: dict[ObjectKey, Document] = {}
    for document in documents:
        other = first.setdefault(document.key, document)
        if other is not document:
            yield document.problem(
                "metadata.name", f"defined before, at line {other.line}", code=Code.DEFINED_TWICE
            )


def _read_document(node: Node, file: str, schema: Schema) -> tuple[Document | None, list[Problem]]:
    kind, faults = _find_kind(node, schema)
    if kind is None or not isinstance(node, Entries):
        return None, [Problem(file=file, line=line, path=path, message=text) for line, path, text in faults]
    reading = Reading()
    whole = reading.block(kind.document, node, "")
    document = Document(
        key=_key(kind, whole),
        labels=_labels(whole),
        spec=share(_block_of(whole, "spec")),
        file=file,
        lines=reading.lines,
    )
    problems = [
        Problem(file=file, line=line, object=str(document.key), path=path, message=text)
        for line, path, text in faults + reading.faults
    ]
    problems += [document.problem(path, text, code=Code.IDLE) for path, text in reading.warnings]
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


def _find_kind(node: Node, schema: Schema) -> tuple[Kind | None, list[Fault]]:
    """The kind that a document says it is, and what is wrong with how it says it."""
    if not isinstance(node, Entries):
        return None, [(node.line, "", "expected a document with apiVersion, kind, metadata and spec")]
    written = {key.text: value for key, value in node.entries}
    value = written.get("kind")
    kind = schema.kinds.get(value.text) if isinstance(value, Scalar) else None
    known_kinds = (kind,) if kind else tuple(schema.kinds.values())
    versions = tuple(dict.fromkeys(chain.from_iterable(each.api_versions for each in known_kinds)))
    return kind, list(_misnamed(node, written, {"apiVersion": versions, "kind": tuple(schema.kinds)}))


def _misnamed(
    node: Entries, written: Mapping[str, Node], expected: Mapping[str, tuple[str, ...]]
) -> Iterator[Fault]:
    """Fields that are none of the words they may be."""
    for name, known in expected.items():
        value = written.get(name)
        choices = ", ".join(known)
        if value is None:
            yield node.line, name, f"required; expected {choices}"
        elif not isinstance(value, Scalar) or value.text not in known:
            text = value.text if isinstance(value, Scalar) else ""
            hint = scalars.suggestion(text, known) if len(known) > 1 else ""
            yield value.line, name, f"expected one of {choices}, found '{text[:80]}'{hint}"


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
