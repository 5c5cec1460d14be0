"""`policy`: get, apply, delete and validate policies against any control plane."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from controlplane.cli import figures, options
from controlplane.cli.check import problem_line
from controlplane.cli.client import SLOW_SECONDS, AdminClient, author
from controlplane.cli.errors import FindingError, UsageError
from controlplane.cli.output import Format, Listing, print_lines, show, show_document
from controlplane.model.document import Problem
from controlplane.sources.directory import is_policy_file
from controlplane.sources.reader import decode

# A control plane takes 16 MiB of one message; what names and lengths take is far less than the rest.
_MOST_BYTES: Final = 15 << 20

app = typer.Typer(
    help="Get, apply, delete and validate policies; their history, and the way back.", no_args_is_help=True
)
_Files = Annotated[
    list[str], typer.Option("--filename", "-f", help="File, directory, or - for standard input.")
]


@app.command("get")
def get(
    kind: Annotated[str, typer.Argument(help="Kind or short name; default all.")] = "",
    name: Annotated[str, typer.Argument(help="Name; default all.")] = "",
    *,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show policies with the sidecars that apply them."""
    wanted = {"kind": kind, **figures.parse_name(name, "" if all_namespaces else namespace)}
    with AdminClient(admin) as client:
        if wanted["name"]:
            request = {**wanted, "namespace": wanted["namespace"] or options.NAMESPACE}
            policies = [client.call("GetPolicy", request)["policy"]]
        else:
            request = {"kind": kind, "namespace": wanted["namespace"]}
            policies = client.call("ListPolicies", request)["policies"]
    if output is Format.YAML:
        print_lines(["---\n".join(one["yaml"] for one in policies).rstrip()])
        return
    show(
        Listing(
            kind="Policy",
            items=policies,
            columns=("KIND", "NAMESPACE", "NAME", "ACCEPTED", "PROGRAMMED", "SYNCED", "SOURCE"),
            rows=[_row(one) for one in policies],
            empty="no policies; `breakwater policy apply -f FILE` keeps one",
        ),
        output,
    )


def _row(status: dict[str, Any]) -> list[str]:
    policy = status["policy"]
    conditions = {one["type"]: one for one in status["conditions"]}
    kind, _, _ = status["yaml"].partition("kind: ")[2].partition("\n")
    return [
        kind,
        policy["metadata"]["namespace"] or "-",
        policy["metadata"]["name"],
        _condition(conditions.get("Accepted")),
        _condition(conditions.get("Programmed")),
        f"{status['applied']}/{status['targeted']}",
        policy["source"],
    ]


def _condition(condition: dict[str, Any] | None) -> str:
    if condition is None:
        return "-"
    return "True" if condition["status"] else f"False ({condition['reason']})"


@app.command("apply")
def apply(
    filename: _Files, *, output: options.Output = options.TABLE, admin: options.Admin = options.ADMIN
) -> None:
    """Keep documents: all of them, or none when any has a problem."""
    with AdminClient(admin, SLOW_SECONDS) as client:
        answer = client.call("ApplyPolicies", {"manifests": manifests(filename), "author": author()})
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "ApplyResult", **answer}, output)
    else:
        show_problems(answer["problems"])
        print_lines(f"{figures.policy(one['policy'])} {one['outcome']}" for one in answer["applied"])
    if serious(answer["problems"]):
        raise FindingError(
            "nothing was kept; mend the problems above, `breakwater policy validate` shows them again"
        )


@app.command("validate")
def validate(
    filename: _Files, *, output: options.Output = options.TABLE, admin: options.Admin = options.ADMIN
) -> None:
    """Check documents as `apply` would, and keep nothing."""
    with AdminClient(admin, SLOW_SECONDS) as client:
        answer = client.call("ValidatePolicies", {"manifests": manifests(filename)})
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "ValidationResult", **answer}, output)
    else:
        show_problems(answer["problems"])
    if problems := serious(answer["problems"]):
        sound = figures.count(answer["documents"], "sound document")
        raise FindingError(f"{figures.count(len(problems), 'problem')}, beside {sound}")
    if output is Format.TABLE:
        count = answer["documents"]
        print_lines([f"{figures.count(count, 'document')} {'is' if count == 1 else 'are'} valid"])


@app.command("delete")
def delete(
    kind: Annotated[str, typer.Argument(help="Kind or short name.")],
    name: Annotated[str, typer.Argument(help="Name, or NAMESPACE/NAME.")],
    *,
    namespace: options.Namespace = options.NAMESPACE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Remove one policy that was applied here."""
    unwanted = figures.parse_name(name, namespace)
    with AdminClient(admin) as client:
        answer = client.call("DeletePolicy", {"kind": kind, **unwanted, "author": author()})
    print_lines([f"{kind} {figures.service(unwanted)} deleted at revision r{answer['revision']}"])


def manifests(names: list[str]) -> list[dict[str, str]]:
    """Return the files that names stand for, with their texts.

    Raises:
        FindingError: some hold no text, as has been shown.
        UsageError: one cannot be read, or all are too much for one request.
    """
    contents = files(names)
    if sum(len(content) for _, content in contents) > _MOST_BYTES:
        raise UsageError(
            f"expected at most {_MOST_BYTES >> 20} MiB at once, found more; name fewer files with -f"
        )
    found = [(file, decode(content, file)) for file, content in contents]
    problems = [text for _, text in found if isinstance(text, Problem)]
    if problems:
        show_problems([told(problem) for problem in problems])
        raise FindingError("nothing was asked; mend the files above first")
    return [{"file": file, "text": text} for file, text in found if isinstance(text, str)]


def files(names: list[str]) -> list[tuple[str, bytes]]:
    """Return the files that names stand for, with what is in them; of a directory what a source reads.

    Raises:
        UsageError: one cannot be read.
    """
    return [each for name in names for each in _read(name)]


def _read(name: str) -> list[tuple[str, bytes]]:
    if name == "-":
        return [("<stdin>", sys.stdin.buffer.read())]
    path = Path(name)
    try:
        found = sorted(filter(_holds_policies, path.iterdir())) if path.is_dir() else [path]
        read = [(str(file), file.read_bytes()) for file in found]
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error}; name a file or a directory with -f") from error
    if not read:
        raise UsageError(f"no *.yaml in {name}; name a file with -f FILE")
    return read


def _holds_policies(path: Path) -> bool:
    return is_policy_file(path.name) and path.is_file()


def told(problem: Problem) -> dict[str, Any]:
    """Return a problem as the control plane tells it."""
    return {
        "file": problem.file,
        "line": problem.line,
        "object": problem.object,
        "path": problem.path,
        "message": problem.message,
        "warning": problem.warning,
        "code": problem.code.number,
        "level": problem.code.level.value,
        "hint": problem.code.hint,
    }


def serious(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the problems that are more than warnings."""
    return [one for one in problems if not one["warning"]]


def show_problems(problems: list[dict[str, Any]]) -> None:
    """Print problems and warnings to standard error, each with what to do about it."""
    for one in problems:
        level = one["level"].lower() if one["warning"] else "problem"
        print(f"{level}: {problem_line(one)}\n    {one['hint']}", file=sys.stderr)
