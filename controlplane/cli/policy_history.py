"""`policy history`, `diff` and `rollback`: what policies were, what changed, and the way back."""

from __future__ import annotations

import difflib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.client import SLOW_SECONDS, AdminClient, author
from controlplane.cli.errors import FindingError, UsageError
from controlplane.cli.output import Format, Listing, print_coloured, print_lines, show, show_document
from controlplane.cli.policy import manifests, serious, show_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMED = 2  # changes that one line names; more are counted
_STYLES = {"---": "bold", "+++": "bold", "@": "cyan", "-": "red", "+": "green"}
_Revision = Annotated[str, typer.Argument(metavar="REV", help="Revision, such as r41 or 41.")]


def history(
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many, newest first.")
    ] = 20,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show revisions of the policy set with what each changed."""
    with AdminClient(admin) as client:
        revisions = client.call("ListRevisions", {"limit": limit})["revisions"]
    show(
        Listing(
            kind="Revision",
            items=revisions,
            columns=("REVISION", "AGE", "ORIGIN", "CHANGES"),
            rows=[_row(one) for one in revisions],
            wide_columns=("AUTHOR", "AT"),
            wide_rows=[[one["author"] or "-", one["at"]] for one in revisions],
            empty="no policy was ever in force; `breakwater policy apply -f FILE` keeps one",
        ),
        output,
    )


def diff(
    start: Annotated[str, typer.Argument(metavar="REV", help="Default the one before the other.")] = "",
    end: Annotated[str, typer.Argument(metavar="REV", help="Default the newest.")] = "",
    *,
    filename: Annotated[
        list[str] | None, typer.Option("--filename", "-f", help="What applying this would change instead.")
    ] = None,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show what changed between two revisions, or what a file would change; exit 1 if anything."""
    if filename and (start or end):
        raise UsageError("expected revisions or -f FILE, found both; leave one out")
    request: dict[str, Any] = {"from": _number(start), "to": _number(end)}
    if filename:
        request = {"manifests": manifests(filename)}
    with AdminClient(admin, SLOW_SECONDS) as client:
        answer = client.call("DiffPolicies", request)
    names = ("in force", "as applied") if filename else (f"r{answer['from']}", f"r{answer['to']}")
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "PolicyDiff", **answer}, output)
    else:
        show_problems(answer["problems"])
        _show_changes(answer["changes"], *names)
    if problems := serious(answer["problems"]):
        raise FindingError(
            f"{figures.count(len(problems), 'problem')}; `breakwater policy validate` shows them again"
        )
    if answer["changes"]:
        raise FindingError("")


def rollback(
    revision: _Revision,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Make what was applied here what it was at a revision: a push like any other, and a new revision."""
    number = _number(revision)
    request = {"revision": number, "dryRun": dry_run, "author": author()}
    with AdminClient(admin, SLOW_SECONDS) as client:
        answer = client.call("RollBackPolicies", request)
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "RollbackResult", **answer}, output)
    else:
        _show_rollback(answer, number, is_dry_run=dry_run)
    if serious(answer["problems"]):
        raise FindingError("nothing was changed; what was in force then has the problems above now")
    if answer["refused"]:
        raise FindingError(f"not as at r{number}, since files define them: {len(answer['refused'])} objects")


def _show_rollback(answer: dict[str, Any], number: str, *, is_dry_run: bool) -> None:
    show_problems(answer["problems"])
    for one in answer["refused"]:
        show_problems([{**one, "message": f"not rolled back: {one['message']}"}])
    if is_dry_run:
        _show_changes(answer["changes"], "in force", f"r{number}")
        print("dry run: nothing was changed", file=sys.stderr)
        return
    print_lines(f"{figures.policy(one['policy'])} {one['outcome']}" for one in answer["changes"])
    if answer["revision"] != "0":
        print_lines([f"rolled back to r{number} at revision r{answer['revision']}"])
    elif not answer["problems"]:
        print(f"nothing that was applied here differs from r{number}", file=sys.stderr)


def _row(one: dict[str, Any]) -> list[str]:
    origin = one["origin"]
    if origin == "rollback":
        origin += f" of r{one['rollbackOf']}"
    return [f"r{one['revision']}", figures.since(one["at"], datetime.now(UTC)), origin, _changes(one)]


def _changes(one: dict[str, Any]) -> str:
    counts = {outcome: one[outcome] for outcome in ("created", "configured", "deleted") if one[outcome]}
    if sum(counts.values()) <= _NAMED:
        named = (f"{figures.policy(change['policy'])} {change['outcome']}" for change in one["changes"])
        return ", ".join(named) or "-"
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def _show_changes(changes: list[dict[str, Any]], before: str, after: str) -> None:
    """Print documents before and after as a unified diff, in colour where there are colours."""
    print_coloured((line, _style(line)) for line in _lines(changes, before, after))


def _style(line: str) -> str:
    return next((style for start, style in _STYLES.items() if line.startswith(start)), "")


def _lines(changes: list[dict[str, Any]], before: str, after: str) -> Iterator[str]:
    for change in changes:
        name = figures.policy(change["policy"])
        was, is_now = (change[side].splitlines() for side in ("before", "after"))
        titles = f"{name} ({before})", f"{name} ({after})"
        yield from difflib.unified_diff(was, is_now, *titles, lineterm="")


def _number(revision: str) -> str:
    """Return the number of a revision written as r41 or 41; zero stands for none.

    Raises:
        UsageError: it is written in another way.
    """
    number = revision.removeprefix("r") or "0"
    if not (number.isascii() and number.isdecimal()):
        raise UsageError(
            f"expected a revision such as r41, found {revision!r}; see `breakwater policy history`"
        )
    return number
