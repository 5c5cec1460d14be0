"""`proxy-config`: what sidecars run right now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import endpoint_figures, figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, show

app = typer.Typer(help="What sidecars run right now.", no_args_is_help=True)
_COLUMNS = ("SERVICE", "ENDPOINT", "ADDRESS", "STATE", "WHY", "RETURNS", "PROBES", "SIDECAR")


@app.callback()
def _proxy_config() -> None:
    """What sidecars run right now."""


@app.command("endpoints")
def endpoints(
    sidecar: Annotated[str, typer.Argument(help="Only as this sidecar sees them.")] = "",
    *,
    service: Annotated[str, typer.Option("--service", metavar="NS/SVC", help="Only of this service.")] = "",
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show the endpoints that sidecars call: who is left out, why, until when, and what probes say."""
    request: dict[str, Any] = {"instance": sidecar}
    if service:
        request["service"] = figures.parse_service(service, namespace)
    with AdminClient(admin) as client:
        _show(client.call("ListCalledEndpoints", request)["endpoints"], output)


def _show(found: list[dict[str, Any]], output: Format) -> None:
    listing = Listing(
        kind="Endpoint",
        items=found,
        columns=_COLUMNS,
        rows=[_row(one["instance"], one["endpoint"]) for one in found],
        empty="no sidecar calls any service yet",
    )
    show(listing, output)


def _row(sidecar: str, endpoint: dict[str, Any]) -> list[str]:
    return [
        figures.service(endpoint["service"]),
        endpoint["instance"],
        endpoint["address"],
        endpoint_figures.state(endpoint),
        endpoint_figures.cause(endpoint) or "-",
        figures.age(endpoint_figures.returns_in(endpoint)),
        endpoint_figures.probes(endpoint) or "-",
        sidecar,
    ]
