"""`check`: is the installation sound?

Categories are underlined, one line a check with a mark; what fails is followed by its reason and the next
command.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import FindingError, UnreachableError
from controlplane.cli.output import Format, print_lines, show_document
from controlplane.version import program_version

if TYPE_CHECKING:
    from collections.abc import Iterator

OK, WARNING, FAILED = "√", "‼", "×"
_PORTS = {"discovery": 15010, "http": 15014, "admin": 15020}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check."""

    category: str
    mark: str
    text: str
    hints: tuple[str, ...] = ()


def check(
    *,
    pre: Annotated[
        bool, typer.Option("--pre", help="Before an installation: what this machine needs.")
    ] = False,
    proxy: Annotated[bool, typer.Option("--proxy", help="The data plane too.")] = False,
    wait: Annotated[str, typer.Option("--wait", help="Try again for this long.")] = "0s",
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Check the installation; exit 1 when something is wrong."""
    deadline = time.monotonic() + figures.parse_duration(wait)
    while True:
        findings = list(_before_installation() if pre else _installation(admin, proxy=proxy))
        if _sound(findings) or time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    _show(findings, output)
    if not _sound(findings):
        raise FindingError("")


def _sound(findings: list[Finding]) -> bool:
    return all(finding.mark != FAILED for finding in findings)


def _before_installation() -> Iterator[Finding]:
    for name, port in _PORTS.items():
        with socket.socket() as probe:
            free = probe.connect_ex(("127.0.0.1", port)) != 0
        yield Finding(
            category="machine",
            mark=OK if free else FAILED,
            text=f"port {port} ({name}) is {'free' if free else 'taken'}",
            hints=()
            if free
            else (f"stop what listens there, or give --{'listen' if name == 'discovery' else name}",),
        )


def _installation(admin: str, *, proxy: bool) -> Iterator[Finding]:
    try:
        with AdminClient(admin) as client:
            status = client.call("GetStatus")
            yield from _control_plane(status, client.place)
            if proxy:
                yield from _data_plane(client.call("ListSidecars")["sidecars"])
    except UnreachableError as error:
        reason, *hints = str(error).splitlines()
        yield Finding(category="control-plane", mark=FAILED, text=reason, hints=tuple(hints))


def _control_plane(status: dict[str, Any], place: str) -> Iterator[Finding]:
    yield Finding(
        category="control-plane",
        mark=OK,
        text=f"control plane answers at {place}, revision r{status['revision']}",
    )
    yield _replicas(status)
    ready = status["storeReady"]
    yield Finding(
        category="control-plane",
        mark=OK if ready else FAILED,
        text=f"registry {'reachable' if ready else 'does not answer'}: {status['store']}",
        hints=() if ready else ("look at the control plane's log and its --store",),
    )
    for source in status["sources"]:
        yield _source(source)
    ours, theirs = program_version(), status["version"]
    if ours != theirs:
        yield Finding(
            category="control-plane",
            mark=WARNING,
            text=f"control plane is {theirs}, this command {ours}",
            hints=("use a matching one; see `breakwater version`",),
        )


def _replicas(status: dict[str, Any]) -> Finding:
    """Whether every replica answers and reaches the store, and who of them leads."""
    replicas, leader = status["replicas"], status.get("leader")
    silent = [f"{one['name']} at {one['address']} does not answer" for one in replicas if not one["answers"]]
    cut_off = [
        f"{one['name']} does not reach the registry"
        for one in replicas
        if one["answers"] and not one["storeReady"]
    ]
    age = leader and leader.get("renewedAge")
    renewed = f" (lease renewed {figures.age(age)} ago)" if age else ""
    lead = f"leader {leader['name']}{renewed}" if leader else "no leader yet"
    failed = [*silent, *cut_off]
    return Finding(
        category="control-plane",
        mark=FAILED if failed else OK if leader else WARNING,
        text=f"{len(replicas) - len(failed)}/{len(replicas)} replicas ready, {lead}",
        hints=(*failed, "look at its log; it is forgotten soon after its end") if failed
        else () if leader
        else ("one is elected within 20s",),
    )  # fmt: skip


def _source(source: dict[str, Any]) -> Finding:
    problems = [one for one in source["problems"] if not one["warning"]]
    if not problems:
        return Finding(
            category="control-plane", mark=OK, text=f"{source['documents']} policies from {source['name']}"
        )
    count = figures.count(len(problems), "problem")
    return Finding(
        category="control-plane",
        mark=FAILED,
        text=f"{count} in {source['name']}; what was sound before stays in force",
        hints=(
            *(problem_line(one) for one in problems),
            "run `breakwater analyze` for what to do about each",
        ),
    )


def _data_plane(sidecars: list[dict[str, Any]]) -> Iterator[Finding]:
    states = {one["instance"]: figures.state(one["state"]) for one in sidecars}
    offline = [name for name, state in states.items() if state == "OFFLINE"]
    yield Finding(
        category="data-plane",
        mark=FAILED if offline else OK,
        text=f"{len(states) - len(offline)}/{len(states)} sidecars connected",
        hints=(*offline, "they serve what they last had; see `breakwater proxy-status`") if offline else (),
    )
    rejected = [one for one in sidecars if one["rejections"]]
    if rejected:
        reasons = [
            f"{one['instance']}: {r['field']}: {r['reason']}" for one in rejected for r in one["rejections"]
        ]
        yield Finding(
            category="data-plane",
            mark=FAILED,
            text=f"{len(rejected)} sidecars refused something",
            hints=(*reasons, "run `breakwater proxy-status --rejected`"),
        )


def problem_line(problem: dict[str, Any]) -> str:
    """Return one problem as `file:line: object: path: message (code)`, without the parts that are missing."""
    place = f"{problem['file']}:{problem['line']}" if problem["line"] else problem["file"]
    message = f"{problem['message']} ({problem['code']})"
    parts = (place, problem["object"], problem["path"], message)
    return ": ".join(part for part in parts if part)


def _show(findings: list[Finding], output: Format) -> None:
    verdict = OK if _sound(findings) else FAILED
    if output in {Format.JSON, Format.YAML}:
        items = [
            {"category": f.category, "mark": f.mark, "text": f.text, "hints": list(f.hints)} for f in findings
        ]
        show_document({"kind": "CheckResult", "success": _sound(findings), "items": items}, output)
        return
    category = ""
    for finding in findings:
        if finding.category != category:
            category = finding.category
            print_lines([category, "-" * len(category)])
        print_lines([f"{finding.mark} {finding.text}", *(f"    {hint}" for hint in finding.hints)])
    print_lines(["", f"Status check results are {verdict}"])
