"""`proxy-status`: which sidecars have which version?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import FindingError
from controlplane.cli.output import Format, Listing, print_lines, show, show_document
from controlplane.cli.watch import repeat


def proxy_status(
    sidecar: Annotated[str, typer.Argument(help="One sidecar: what it applies beside what it should.")] = "",
    *,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Only those that refused something, with the reason.")
    ] = False,
    namespace: options.Namespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show which sidecars have which version; with a name, what differs."""
    request = {"namespace": "" if all_namespaces else namespace}
    with AdminClient(admin) as client:
        if sidecar:
            _show_one(client.call("ListSidecars", {"instance": sidecar})["sidecars"], sidecar, output)
            return
        repeat(
            lambda: _show_all(client.call("ListSidecars", request)["sidecars"], output, rejected), watch=watch
        )


def _show_all(sidecars: list[dict[str, Any]], output: Format, rejected: bool) -> None:
    chosen = [one for one in sidecars if one["rejections"]] if rejected else sidecars
    show(
        Listing(
            kind="Sidecar",
            items=chosen,
            columns=("NAME", "SERVICE", "CONTROL PLANE", "VERSION", "STATE", "REVISION", "LAG", "LAST ACK"),
            rows=[_row(one) for one in chosen],
            wide_columns=("RESOURCES", "PUSHES", "REJECTED", "MEMORY"),
            wide_rows=[_wide(one) for one in chosen],
            empty="no sidecar has connected; start one with `breakwater-sidecar --controlplane HOST:PORT`",
        ),
        output,
    )
    if rejected and output in {Format.TABLE, Format.WIDE}:
        print_lines(f"{one['instance']}: {line}" for one in chosen for line in _rejections(one))


def _row(one: dict[str, Any]) -> list[str]:
    state = figures.state(one["state"])
    lag = int(one["lag"])
    ack = figures.age(one.get("lastAckAge")) + (" (serving last known config)" if state == "OFFLINE" else "")
    return [
        one["instance"],
        ",".join(figures.service(name) for name in one["services"]) or "-",
        one["controlPlane"] or "-",
        one["version"],
        state,
        f"r{one['revision']}",
        f"{lag} rev" if lag else "-",
        ack,
    ]


def _wide(one: dict[str, Any]) -> list[str]:
    memory = f"{int(one['residentBytes']) / 2**20:.1f} MiB"
    return [str(one["resources"]), one["pushes"], str(len(one["rejections"])), memory]


def _rejections(one: dict[str, Any]) -> list[str]:
    return [
        f"{_resource(refused['id'])}: {refused['field'] or 'whole resource'}: {refused['reason']}"
        for refused in one["rejections"]
    ]


def _resource(name: dict[str, Any]) -> str:
    return f"{name['type'].removeprefix('RESOURCE_TYPE_').lower()}/{name['name']}"


def _show_one(sidecars: list[dict[str, Any]], name: str, output: Format) -> None:
    if not sidecars:
        raise FindingError(f"no sidecar is called {name}; `breakwater proxy-status` lists them")
    one = sidecars[0]
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "Sidecar", **one}, output)
        return
    rows = [
        [_resource(item["id"]), item["applied"] or "-", item["desired"] or "-",
         "SYNCED" if item["applied"] == item["desired"] else "STALE"]
        for item in one["convergence"]
    ]  # fmt: skip
    show(
        Listing(kind="Resource", items=[], columns=("RESOURCE", "APPLIED", "DESIRED", "STATE"), rows=rows),
        output,
    )
    print_lines(_rejections(one))
