"""Which of the changes that lead back to a revision may be made, and which are a file's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.model.document import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controlplane.history.record import Change
    from controlplane.model.document import Document, ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes to make, and for each object that is left alone why."""

    changes: tuple[Change, ...]
    refused: tuple[Problem, ...]


def plan(changes: Iterable[Change], documents: Mapping[ObjectKey, Document], admin: str) -> Plan:
    """What to do of `changes`, when `documents` are in force; `admin` is the source that may be written."""
    possible, refused = [], []
    for change in changes:
        problem = _refusal(change, documents.get(change.key), admin)
        if problem:
            refused.append(problem)
        else:
            possible.append(change)
    return Plan(changes=tuple(possible), refused=tuple(refused))


def _refusal(change: Change, document: Document | None, admin: str) -> Problem | None:
    """Why an object cannot be changed here, or `None`."""
    if document and document.file != admin:
        return document.problem("", "defined in a file; put it back there")
    if change.after and change.after.source != admin:
        message = "was defined in this file; put it back there"
        return Problem(file=change.after.source, object=str(change.key), message=message)
    return None
