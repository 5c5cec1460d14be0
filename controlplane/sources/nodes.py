"""YAML text to a tree of nodes that know their lines, within bounds that no input can exceed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 4 << 20
MAX_NODES: Final = 400_000  # what aliases stand for included, so that they cannot multiply
MAX_DEPTH: Final = 32

_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class UnreadableError(ValueError):
    """Text that is no YAML, or more than we read; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


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
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise UnreadableError(f"expected at most {MAX_BYTES} bytes", 1)
    try:
        yield from _documents(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableError(
            f"not YAML: {error.problem or error.context}", mark.line + 1 if mark else 1
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(f"not YAML: {error.reason}", line) from error


def _documents(events: Iterator[Any]) -> Iterator[Node]:
    composer = _Composer()
    for event in events:
        match event:
            case yaml.DocumentStartEvent():
                composer = _Composer(used=composer.used)
            case yaml.DocumentEndEvent():
                if not (isinstance(composer.root, Scalar) and composer.root.is_null):
                    yield composer.root
            case yaml.StreamStartEvent() | yaml.StreamEndEvent():
                pass
            case _:
                composer.take(event)


class _Composer:
    """Builds one document from its events, without recursion."""

    def __init__(self, used: int = 0) -> None:
        self.root: Node = Scalar("", plain=True, line=1)
        self.used = used
        self._open: list[tuple[Any, list[Node], int]] = []
        self._anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: Any) -> None:
        """Advances by one event."""
        line = event.start_mark.line + 1
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
        line = start.start_mark.line + 1
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
            raise UnreadableError(f"expected at most {MAX_NODES} values", line)


def _pairs(children: list[Node]) -> Iterator[tuple[Scalar, Node]]:
    for key, value in zip(children[::2], children[1::2], strict=True):
        if not isinstance(key, Scalar):
            raise UnreadableError("expected a string as key", key.line)
        yield key, value


def _is_plain(event: Any, line: int) -> bool:
    if event.tag and event.tag not in _STRING_TAGS:
        raise UnreadableError(f"tag {event.tag} is not supported", line)
    return bool(event.implicit[0])
