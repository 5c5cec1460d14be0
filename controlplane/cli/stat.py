"""`stat`: the golden signals of each service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import figures, options, traffic_figures
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, show
from controlplane.cli.watch import repeat


def stat(
    service: Annotated[str, typer.Argument(help="One service; default all.")] = "",
    *,
    outbound: Annotated[
        bool, typer.Option("--outbound", help="As callers see it, attempts included.")
    ] = False,
    window: options.Window = "10s",
    namespace: options.OneNamespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show rate, success, latency and refusals of services."""
    asked, only = figures.selection(service, namespace, options.NAMESPACE, everywhere=all_namespaces)
    request = {"outbound": outbound, "window": f"{figures.parse_duration(window)}s", **asked}
    with AdminClient(admin) as client:

        def view() -> None:
            traffic = client.call("ListTraffic", request)["traffic"]
            _show(figures.within(traffic, only), output, outbound)

        repeat(view, watch=watch)


def _show(traffic: list[dict[str, Any]], output: Format, outbound: bool) -> None:
    peer = ("PEER",) if outbound else ()
    attempts = ("ATTEMPTS", "RETRY%") if outbound else ()
    show(
        Listing(
            kind="Traffic",
            items=traffic,
            columns=("SERVICE", *peer, "SIDECARS", "SUCCESS", "RPS", *attempts,
                     "P50", "P95", "P99", "INFLIGHT", "LIMITED", "SHED", "OPEN"),
            rows=[_row(one, outbound) for one in traffic],
            empty="no traffic in this window",
        ),
        output,
    )  # fmt: skip


def _row(one: dict[str, Any], outbound: bool) -> list[str]:
    rate, attempts = one["requestsPerSecond"], one["attemptsPerSecond"]
    return [
        figures.service(one["service"]),
        *([one["peer"] or "-"] if outbound else []),
        str(one["sidecars"]),
        figures.percent(one["successRatio"]) if rate else "-",
        f"{rate:.1f}",
        *([f"{attempts:.1f}", figures.percent(traffic_figures.retries(one))] if outbound else []),
        *traffic_figures.latencies(one),
        str(one["inFlight"]),
        *(f"{rate:.1f}/s" if rate else "-" for rate in traffic_figures.refused(one)),
    ]
