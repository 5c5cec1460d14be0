"""YAML text to a tree of nodes that know their lines, within bounds that no input can exceed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 4 << 20
MAX_NODES: Final = 400_000  # what aliases stand for included, so that they cannot multiply
MAX_DEPTH: Final = 32

# Where a document begins, with directives before it; YAML knows this line in no other place.
_BEGIN: Final = re.compile(r"^(?:%.*\n)*---(?=\s|\Z)", re.MULTILINE)
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class UnreadableError(ValueError):
    """Text that is no YAML, or more than we read; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class OutOfBoundsError(UnreadableError):
    """More than we read of a whole text."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as written; `plain` when it stands without quotes."""

    text: str
    plain: bool
    line: int

    @property
    def is_null(self) -> bool:
        """Whether YAML reads it as nothing."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A map in the order written, with any duplicate keys."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int


Node: TypeAlias = Scalar | Items | Entries


def compose(text: str) -> Iterator[Node]:
    """The documents of a YAML or JSON text, in order; empty ones are left out.

    Raises:
        UnreadableError: it is not YAML, or exceeds a bound.
    """
    for found in compose_each(text):
        if isinstance(found, UnreadableError):
            raise found
        yield found


def compose_each(text: str) -> Iterator[Node | UnreadableError]:
    """The same, with what is wrong in place of a document that cannot be read; a bound is the last."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        yield OutOfBoundsError(f"expected at most {MAX_BYTES} bytes", 1)
        return
    used = line = 0
    for part in _parts(text):
        composer = _Composer(used, line)
        try:
            yield from _documents(part, composer)
        except UnreadableError as error:
            yield error
            if isinstance(error, OutOfBoundsError):
                return
        used, line = composer.used, line + part.count("\n")


def _parts(text: str) -> Iterator[str]:
    """The text, divided where documents begin, so that one that is broken takes no other along."""
    begins = [0, *(match.start() for match in _BEGIN.finditer(text) if match.start())]
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
        yield text[begin:end]


def _documents(text: str, composer: _Composer) -> Iterator[Node]:
    try:
        yield from _composed(yaml.parse(text, Loader=yaml.CSafeLoader), composer)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = composer.line + (mark.line if mark else 0) + 1
        raise UnreadableError(f"not YAML: {error.problem or error.context}", line) from error
    except yaml.reader.ReaderError as error:
        line = composer.line + text.count("\n", 0, error.position) + 1
        raise UnreadableError(f"not YAML: {error.reason}", line) from error


def _composed(events: Iterator[Any], composer: _Composer) -> Iterator[Node]:
    for event in events:
        match event:
            case yaml.DocumentStartEvent():
                composer.begin()
            case yaml.DocumentEndEvent():
                if not (isinstance(composer.root, Scalar) and composer.root.is_null):
                    yield composer.root
            case yaml.StreamStartEvent() | yaml.StreamEndEvent():
                pass
            case _:
                composer.take(event)


class _Composer:
    """Builds documents from their events, one by one, without recursion."""

    def __init__(self, used: int, line: int) -> None:
        """Counts on from what was `used` before, and from the lines before."""
        self.used = used
        self.line = line
        self.begin()

    def begin(self) -> None:
        """Forgets the document before."""
        self.root: Node = Scalar("", plain=True, line=1)
        self._open: list[tuple[Any, list[Node], int]] = []
        self._anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: Any) -> None:
        """Advances by one event."""
        line = self.line + event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._charge(1, line)
                self._add(Scalar(event.value, _is_plain(event, line), line), event.anchor, 1)
            case yaml.AliasEvent():
                self._alias(event.anchor, line)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._charge(1, line)
                if len(self._open) >= MAX_DEPTH:
                    raise UnreadableError(f"nested deeper than {MAX_DEPTH}", line)
                self._open.append((event, [], self.used - 1))
            case _:
                self._close()

    def _alias(self, anchor: str | None, line: int) -> None:
        if anchor is None or anchor not in self._anchors:
            raise UnreadableError(f"not YAML: found undefined alias {anchor!r}", line)
        node, size = self._anchors[anchor]
        self._charge(size, line)
        self._add(node, None, size)

    def _close(self) -> None:
        start, children, before = self._open.pop()
        line = self.line + start.start_mark.line + 1
        if isinstance(start, yaml.SequenceStartEvent):
            node: Node = Items(tuple(children), line)
        else:
            node = Entries(tuple(_pairs(children)), line)
        self._add(node, start.anchor, self.used - before)

    def _add(self, node: Node, anchor: str | None, size: int) -> None:
        if anchor:
            self._anchors[anchor] = (node, size)
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node

    def _charge(self, size: int, line: int) -> None:
        self.used += size
        if self.used > MAX_NODES:
            raise OutOfBoundsError(f"expected at most {MAX_NODES} values", line)


def _pairs(children: list[Node]) -> Iterator[tuple[Scalar, Node]]:
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, Scalar):
            raise UnreadableError("expected a string as key", key.line)
        yield key, value


def _is_plain(event: Any, line: int) -> bool:
    if event.tag and event.tag not in _STRING_TAGS:
        raise UnreadableError(f"tag {event.tag} is not supported", line)
    return bool(event.implicit[0])
