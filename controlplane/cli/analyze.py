"""`analyze`: what is wrong, or worth a look, in files or in everything that a control plane knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from controlplane.analysis.analyze import analyze as find
from controlplane.analysis.analyze import of_files, unrefused
from controlplane.cli import figures, options
from controlplane.cli.client import SLOW_SECONDS, AdminClient
from controlplane.cli.errors import FindingError
from controlplane.cli.output import Format, print_lines, show_document
from controlplane.cli.policy import files, told
from controlplane.model.codes import Code, Level
from controlplane.model.document import Problem
from controlplane.sources.codec import load_schema
from controlplane.sources.desired import Desired, preview
from controlplane.sources.reader import parse_bytes
from controlplane.version import program_version

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE: Final = "file"
_NOTHING: Final[list[str]] = []
_Files = Annotated[
    list[str],
    typer.Option("--filename", "-f", help="File, directory, or - for standard input; asks no control plane."),
]


def analyze(
    *,
    filename: _Files = _NOTHING,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Look for mistakes in files, or else in all that the control plane knows; exit 1 when there are any."""
    found = _in_files(filename) if filename else _live(admin)
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "Analysis", "problems": found}, output)
    else:
        print_lines(line for one in found for line in _lines(one))
    levels = Counter(one["level"] for one in found)
    if levels[Level.ERROR.value] or levels[Level.WARNING.value]:
        errors, warnings = levels[Level.ERROR.value], levels[Level.WARNING.value]
        raise FindingError(f"{figures.count(errors, 'error')}, {figures.count(warnings, 'warning')}")
    if output is Format.TABLE:
        print_lines(["nothing to mend"])


def _in_files(names: list[str]) -> list[dict[str, Any]]:
    """What is found without a control plane: of services those are known that the files describe."""
    schema = load_schema()
    units = {file: parse_bytes(content, file, schema) for file, content in files(names)}
    found = [*preview(Desired(), _FILE, units)]
    documents = [document for parsed in units.values() for document in parsed.documents]
    found += find(of_files(unrefused(documents, found), schema))
    return [told(problem) for problem in found]


def _live(admin: str) -> list[dict[str, Any]]:
    with AdminClient(admin, SLOW_SECONDS) as client:
        found: list[dict[str, Any]] = client.call("Analyze")["problems"]
        theirs, ours = client.call("GetStatus")["version"], program_version()
    return [*found, *map(told, skew(theirs, ours))]


def skew(theirs: str, ours: str) -> Iterator[Problem]:
    """What is to be said of the versions of a control plane and of this command."""
    if theirs != ours:
        message = f"is {theirs}, and this command {ours}"
        yield Problem(object="control plane", message=message, code=Code.COMMAND_VERSION)


def _lines(one: dict[str, Any]) -> Iterator[str]:
    place = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
    subject = f"({one['object']}) " if one["object"] else ""
    path = f"{one['path']}: " if one["path"] else ""
    where = f" [{place}]" if place else ""
    yield f"{one['level']} [{one['code']}] {subject}{path}{one['message']}{where}"
    yield f"    {one['hint']}"
