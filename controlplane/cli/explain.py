"""`explain`: what would happen to this request? From live state; nothing is sent."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.check import FAILED
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import UsageError
from controlplane.cli.output import Format, print_lines, show_document


def explain(
    source: Annotated[str, typer.Option("--from", metavar="NS/SVC", help="The service that calls.")],
    target: Annotated[str, typer.Option("--to", metavar="NS/SVC", help="The service that is called.")],
    *,
    method: Annotated[str, typer.Option("-X", "--method", help="Method of the request.")] = "GET",
    path: Annotated[str, typer.Option("--path", help="Path with query.")] = "/",
    header: Annotated[list[str] | None, typer.Option("-H", "--header", metavar="NAME:VALUE")] = None,
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Tell what would happen to a request, hop by hop, and why."""
    request = {
        "from": figures.parse_service(source, namespace),
        "to": figures.parse_service(target, namespace),
        "method": method,
        "path": path,
        "headers": dict(_header(text) for text in header or []),
    }
    with AdminClient(admin) as client:
        answer = client.call("Explain", request)
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "Explanation", **answer}, output)
    else:
        print_lines(_lines(answer))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"-H takes NAME:VALUE, not {text!r}; see `breakwater explain --help`")
    return name.strip().lower(), value.strip()


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = []
    for hop in answer["hops"]:
        direction = hop["direction"].removeprefix("DIRECTION_").lower()
        for step in hop["answer"]["steps"]:
            mark = FAILED if step["refuses"] else " "
            origin = figures.policy(step.get("policy"))
            place = f"  [{origin}]" if origin != "-" else ""
            lines.append(
                f"{mark} {direction:9} {hop['instance']:20} {step['stage']:10} {step['text']}{place}"
            )
    lines += [f"  note      {note}" for note in answer["notes"]]
    verdict = "would be forwarded" if answer["forwarded"] else f"would be refused: {answer['reason']}"
    return [*lines, f"  result    {verdict} (dry run, nothing was sent)"]
