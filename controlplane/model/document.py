"""Documents: what people wrote, checked, before any of it is merged or compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from controlplane.model.codes import Code, Level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controlplane.model.value import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a document, or worth a look; its code says which.

    `line` counts from 1 and is 0 when unknown; `object` and `path` may be empty.
    """

    file: str = ""
    line: int = 0
    object: str = ""
    path: str = ""
    message: str
    code: Code = Code.UNREADABLE

    @property
    def coded(self) -> str:
        """All that is known of it on one line: what it is, how bad, and what to do about it."""
        return f"{self} ({self.code.level.value} {self.code}; {self.code.hint})"

    @property
    def warning(self) -> bool:
        """Whether the document may stay as it is."""
        return self.code.level is not Level.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = " ".join(part for part in (self.object, self.path) if part)
        return ": ".join(part for part in (place, subject, self.message) if part)


class ObjectKey(NamedTuple):
    """Names one object; `namespace` is empty for a kind without one. Sorts by kind, namespace, name.

    Of a document without a name that can be read `name` is empty.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.qualified_name}" if self.name else self.kind

    @property
    def qualified_name(self) -> str:
        """`namespace/name`, by which objects of one age are put in order."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One object as its author wrote it, with no defaults filled in.

    `generation` counts changes of the spec from 1; files have no history, so theirs is 0 and `created_at`
    is `None`. Of what expires, the instant at which the file was `written_at` stands for that. `lines` maps
    the path of each value to its line in `file`. Where a document stands is no part of what it says: two that
    differ only there are equal.
    """

    key: ObjectKey
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Tree
    generation: int = 0
    created_at: datetime | None = None
    written_at: datetime | None = None
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def line(self) -> int:
        """The line the document begins at."""
        return self.lines.get("", 0)

    @property
    def age(self) -> tuple[bool, float, str]:
        """Sorts from old to new: files first, which have no history, then by creation, ties by name."""
        created_at = self.created_at
        return created_at is not None, created_at.timestamp() if created_at else 0.0, self.key.qualified_name

    @property
    def begun_at(self) -> datetime | None:
        """When what it says began to hold, as far as anybody knows."""
        return self.created_at or self.written_at

    def problem(self, path: str, message: str, *, code: Code = Code.MISFIT) -> Problem:
        """A problem with the value at `path`, at its line or that of the nearest block around it."""
        place = path
        while place and place not in self.lines:
            place = enclosing(place)
        return Problem(
            file=self.file,
            line=self.lines.get(place, 0),
            object=str(self.key),
            path=path,
            message=message,
            code=code,
        )


def enclosing(path: str) -> str:
    """The path of the block or list around the value at `path`; empty for the document's own fields."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]
