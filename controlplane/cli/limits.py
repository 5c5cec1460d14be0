"""`limits`: use of rate limits, live."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, Listing, show
from controlplane.cli.watch import repeat


def limits(
    service: Annotated[str, typer.Argument(help="Only those of this service.")] = "",
    *,
    namespace: options.OneNamespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show how much of each limit is used, in every sidecar."""
    request, only = figures.selection(service, namespace, options.NAMESPACE, everywhere=all_namespaces)
    with AdminClient(admin) as client:

        def view() -> None:
            limits = client.call("ListLimits", request)["limits"]
            _show(figures.within(limits, only, "limit"), output)

        repeat(view, watch=watch)


def _show(limits: list[dict[str, Any]], output: Format) -> None:
    show(
        Listing(
            kind="Limit",
            items=limits,
            columns=(
                "LIMIT",
                "SERVICE",
                "SIDECAR",
                "FIGURE",
                "USED",
                "KEYS",
                "ALLOWED",
                "LIMITED",
                "EXEMPT",
                "SHADOW",
            ),
            rows=[_row(one["instance"], one["limit"]) for one in limits],
            empty="no limit is in use; a RateLimitPolicy makes one",
        ),
        output,
    )


def _row(instance: str, limit: dict[str, Any]) -> list[str]:
    capacity, remaining = int(limit["capacity"]), int(limit["remaining"])
    reference = limit.get("policy") or {}
    used = (capacity - remaining) / capacity if capacity else 0.0
    rate = f"{limit['requests']}/{figures.span(limit.get('per'))} b{capacity}"
    route = f" (route {limit['route']})" if limit["route"] else ""
    return [
        f"{reference.get('namespace', '-')}/{reference.get('name', '-')}/{limit['limit']}{route}",
        figures.service(limit["service"]),
        instance,
        rate if "per" in limit else f"{capacity} at once",
        f"{used:.0%}",
        str(limit["keys"]),
        limit["allowed"],
        limit["limited"],
        limit["exempt"],
        limit["shadow"],
    ]
