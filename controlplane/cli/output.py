"""How answers are shown: tables for people, JSON and YAML for programs.

Data goes to standard output, talk to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

API_VERSION = "breakwater.dev/v1alpha1"
_UNBOUNDED = 1_000  # columns of a pipe: nothing is folded there
_COLOURS = {
    "SYNCED": "green", "CLOSED": "green", "True": "green",
    "STALE": "yellow", "UNHEALTHY": "yellow", "HALF_OPEN": "yellow",
    "REJECTED": "red", "OFFLINE": "red", "OPEN": "red", "FORCED_OPEN": "red", "False": "red",
}  # fmt: skip


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Rows for people beside the items they came from."""

    kind: str
    items: Sequence[Mapping[str, Any]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    wide_columns: Sequence[str] = ()
    wide_rows: Sequence[Sequence[str]] = ()
    empty: str = "nothing found"


def forgo_colour() -> None:
    """Print no colours from now on, as NO_COLOR has it; what is started from here does as it says."""
    os.environ["NO_COLOR"] = "1"


def console() -> Console:
    """Return standard output for tables; colour only on a terminal, and not where NO_COLOR says something."""
    width = None if sys.stdout.isatty() else _UNBOUNDED
    return Console(highlight=False, width=width, markup=False)


def show(listing: Listing, form: Format) -> None:
    """Print a listing in the form asked for; an empty one says so on standard error."""
    if form in {Format.JSON, Format.YAML}:
        show_document({"kind": f"{listing.kind}List", "items": list(listing.items)}, form)
    elif form is Format.NAME:
        print_lines(row[0] for row in listing.rows)
    elif not listing.rows:
        print(listing.empty, file=sys.stderr)
    elif form is Format.WIDE and listing.wide_columns:
        rows = [[*row, *more] for row, more in zip(listing.rows, listing.wide_rows, strict=True)]
        _table([*listing.columns, *listing.wide_columns], rows)
    else:
        _table(listing.columns, listing.rows)


def show_document(document: Mapping[str, Any], form: Format) -> None:
    """Print one object as JSON or YAML, under the API version."""
    whole = {"apiVersion": API_VERSION, **document}
    if form is Format.YAML:
        print(yaml.safe_dump(whole, sort_keys=False), end="")
    else:
        print(json.dumps(whole, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, to standard output."""
    for line in lines:
        print(line)


def print_coloured(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines, each with a style; as they are where nobody sees colours."""
    out = console()
    if not out.is_terminal:
        print_lines(line for line, _ in lines)
        return
    for line, style in lines:
        out.print(Text(line, style=style), soft_wrap=True)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    console().print(table)
