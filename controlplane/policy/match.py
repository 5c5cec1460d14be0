"""Requests and their subjects as several kinds describe them: blocks of which some member has to be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.value import blocks, find_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree


_AFTER_PATHS: Final = ("?", "#")


def validate_subjects(document: Document, block: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with the subjects listed under `by` in `block`, which stands at `path`."""
    for index, subject in enumerate(blocks(block, "by")):
        yield from validate_one(document, subject, f"{path}.by[{index}]", code=Code.SUBJECT_UNKNOWN)


def validate_matches(document: Document, block: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with the requests listed under `match` in `block`, which stands at `path`."""
    for index, match in enumerate(blocks(block, "match")):
        place = f"{path}.match[{index}]"
        yield from validate_path(document, match, place)
        if not match:
            yield document.problem(place, "names nothing, so every request matches", code=Code.IDLE)
        for number, header in enumerate(blocks(match, "headers")):
            if "value" not in header and "present" not in header:
                yield document.problem(f"{place}.headers[{number}]", "expected value or present")


def validate_path(document: Document, block: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with the `path` of a match, if it has one."""
    match = find_block(block, "path")
    if match is None:
        return
    yield from validate_one(document, match, f"{path}.path")
    for name, value in match.items():
        found = next((each for each in _AFTER_PATHS if each in str(value)), None)
        if found:
            message = f"has a {found}, before which a path ends, so that nothing matches"
            yield document.problem(f"{path}.path.{name}", message, code=Code.IDLE)


def validate_one(
    document: Document, block: Tree, path: str, *, code: Code = Code.MISFIT
) -> Iterator[Problem]:
    """Whether a block of which exactly one member may be set has none."""
    if not block:
        yield document.problem(path, "names nothing; set one of its fields", code=code)
