"""`registry`: what the catalogue believes, and what sidecars found behind host names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, show, show_document
from controlplane.cli.watch import repeat

app = typer.Typer(help="Services and endpoints, as the registry knows them.", no_args_is_help=True)


@app.command("services")
def services(
    *,
    namespace: options.OneNamespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show services with their contracts, and what their instances disagree about."""
    request = {"namespace": "" if all_namespaces else namespace}
    with AdminClient(admin) as client:
        repeat(
            lambda: _show_services(client.call("ListMeshServices", request)["services"], output), watch=watch
        )


def _show_services(found: list[dict[str, Any]], output: Format) -> None:
    show(
        Listing(
            kind="Service",
            items=found,
            columns=("SERVICE", "PORTS", "ENDPOINTS", "HEALTHY", "VERSION", "OWNER", "CONFLICTS"),
            rows=[_service(one) for one in found],
            wide_columns=("IDEMPOTENT", "DOCUMENTATION"),
            wide_rows=[_promises(one) for one in found],
            empty="no service is registered; a sidecar registers its own with --service NAMESPACE/NAME",
        ),
        output,
    )


def _service(one: dict[str, Any]) -> list[str]:
    contract = one.get("contract") or {}
    ports = ",".join(f"{port['name']}:{port['port']}" for port in one["ports"])
    return [
        figures.service(one["name"]),
        ports or "-",
        str(one["endpointCount"]),
        str(one["healthyCount"]),
        contract.get("version") or "-",
        contract.get("owner") or "-",
        ",".join(conflict["field"] for conflict in one["conflicts"]) or "-",
    ]


def _promises(one: dict[str, Any]) -> list[str]:
    contract = one.get("contract") or {}
    return [",".join(contract.get("idempotentMethods", ())) or "-", contract.get("documentation") or "-"]


@app.command("endpoints")
def endpoints(
    service: Annotated[str, typer.Argument(help="Name, or NAMESPACE/NAME.")],
    *,
    namespace: options.Namespace = options.NAMESPACE,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show the endpoints of a service, and what sidecars resolved its host names to."""
    request = {"service": figures.parse_service(service, namespace)}
    with AdminClient(admin) as client:
        repeat(lambda: _show_endpoints(client.call("ListMeshEndpoints", request), output), watch=watch)


def _show_endpoints(answer: dict[str, Any], output: Format) -> None:
    found, hosts = answer["endpoints"], answer["hosts"]
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "Endpoints", **answer}, output)
        return
    columns = ("ENDPOINT", "ADDRESS", "PORTS", "SIDECAR", "HEALTH", "LEASE", "AGE", "LABELS")
    leases = {one["instance"]: one for one in answer["leases"]}
    rows = [_endpoint(one, leases.get(one["instance"], {})) for one in found]
    show(Listing(kind="Endpoint", items=found, columns=columns, rows=rows, empty="it has none"), output)
    if hosts and output is not Format.NAME:
        headings = ("HOST", "SIDECAR", "ADDRESSES", "AGE", "NEXT", "FAILURE")
        rows = [_host(one["instance"], one["host"]) for one in hosts]
        show(Listing(kind="Host", items=hosts, columns=headings, rows=rows), output)


def _endpoint(one: dict[str, Any], lease: dict[str, Any]) -> list[str]:
    registered_at = lease.get("registeredAt")
    return [
        one["instance"],
        one["address"],
        pairs(one["ports"], ":"),
        "yes" if one["hasSidecar"] else "no",
        figures.health(one["health"]),
        figures.age(lease.get("ttl")),
        figures.since(registered_at, datetime.now(UTC)) if registered_at else "-",
        pairs(one["labels"], "="),
    ]


def pairs(found: dict[str, Any], mark: str) -> str:
    """Return names with their values, `mark` in between; `-` when there are none."""
    return ",".join(f"{name}{mark}{value}" for name, value in sorted(found.items())) or "-"


def _host(instance: str, host: dict[str, Any]) -> list[str]:
    notes = [host["failure"], *host["refused"]]
    return [
        host["host"],
        instance,
        ",".join(host["addresses"]) or "-",
        figures.age(host.get("age")),
        figures.age(host.get("next")),
        "; ".join(filter(None, notes)) or "-",
    ]
