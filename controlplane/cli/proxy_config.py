"""`proxy-config`: what sidecars run right now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import applied_routes, endpoint_figures, figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, show

app = typer.Typer(help="What sidecars run right now.", no_args_is_help=True)
_COLUMNS = ("SERVICE", "ENDPOINT", "ADDRESS", "GROUP", "STATE", "WHY", "RETURNS", "PROBES", "SIDECAR")


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
    with AdminClient(admin) as client:
        found = client.call("ListCalledEndpoints", _question(sidecar, service, namespace))
    _show(found["endpoints"], output)


@app.command("routes")
def routes(
    sidecar: Annotated[str, typer.Argument(help="Only as this sidecar has them.")] = "",
    *,
    service: Annotated[str, typer.Option("--service", metavar="NS/SVC", help="Only of this service.")] = "",
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show the rules of routes that sidecars go by: where they lead, and which policies are in force."""
    with AdminClient(admin) as client:
        found = client.call("ListAppliedRoutes", _question(sidecar, service, namespace))["routes"]
    listing = Listing(
        kind="AppliedRoute",
        items=found,
        columns=applied_routes.COLUMNS,
        rows=[row for one in found for row in applied_routes.rows(one["instance"], one["route"])],
        empty="no sidecar goes by a rule of any route yet",
    )
    show(listing, output)


def _question(sidecar: str, service: str, namespace: str) -> dict[str, Any]:
    """What is asked: of which sidecar and of which service, if not of all."""
    named = {"service": figures.parse_service(service, namespace)} if service else {}
    return {"instance": sidecar, **named}


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
        endpoint["group"] or "-",
        endpoint_figures.state(endpoint),
        endpoint_figures.cause(endpoint) or "-",
        figures.age(endpoint_figures.returns_in(endpoint)),
        endpoint_figures.probes(endpoint) or "-",
        sidecar,
    ]
