"""`breakers`: breaker states, live, and an operator's orders over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from controlplane.cli import figures, options
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import FindingError, UsageError
from controlplane.cli.output import Format, Listing, show
from controlplane.cli.watch import repeat

if TYPE_CHECKING:
    from typer._click.core import Context  # what TyperGroup itself is typed with


class _ShowsByDefault(TyperGroup):
    """Takes `breakers [SERVICE]` for `breakers show [SERVICE]`."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowsByDefault,
    help="Breaker states: `breakers [SERVICE]`; and force-open, force-close, disable and reset.",
)
_For = Annotated[
    str, typer.Option("--for", metavar="DURATION", help="How long the order holds, at most 24h.")
]
_Endpoint = Annotated[
    str, typer.Option("--endpoint", help="The breaker of one endpoint instead of the service's.")
]
_Route = Annotated[
    str, typer.Option("--route", help="The breaker that a route has for itself, as `breakers` names it.")
]
_Service = Annotated[str, typer.Argument(help="The service that is called, such as shop/payments.")]


@app.command("show")
def breakers(
    service: Annotated[str, typer.Argument(help="Only those that guard this service.")] = "",
    *,
    namespace: options.OneNamespace = "",
    all_namespaces: options.AllNamespaces = False,
    output: options.Output = options.TABLE,
    watch: options.Watch = False,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show breaker states of every sidecar, live."""
    request, only = figures.selection(service, namespace, options.NAMESPACE, everywhere=all_namespaces)
    with AdminClient(admin) as client:

        def view() -> None:
            breakers = client.call("ListBreakers", request)["breakers"]
            _show(figures.within(breakers, only, "breaker"), output)

        repeat(view, watch=watch)


def _add_order(name: str, state: str, explanation: str) -> None:
    """Make the verb that forces breakers into one state."""

    def order(
        service: _Service,
        duration: _For,
        endpoint: _Endpoint = "",
        route: _Route = "",
        namespace: options.Namespace = options.NAMESPACE,
        admin: options.Admin = options.ADMIN,
    ) -> None:
        order = _breaker_of(figures.parse_service(service, namespace), endpoint, route)
        _order({**order, "state": state, "ttl": f"{figures.parse_duration(duration)}s"}, admin)

    app.command(name, help=explanation)(order)


_add_order("force-open", "BREAKER_STATE_FORCED_OPEN", "Refuse all calls to a service for a time.")
_add_order("force-close", "BREAKER_STATE_FORCED_CLOSED", "Let all calls through for a time.")
_add_order("disable", "BREAKER_STATE_DISABLED", "Neither count nor refuse for a time.")


@app.command("reset")
def reset(
    service: _Service,
    endpoint: _Endpoint = "",
    route: _Route = "",
    namespace: options.Namespace = options.NAMESPACE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Close a breaker at once, open or forced, and give it back to its policy."""
    order = _breaker_of(figures.parse_service(service, namespace), endpoint, route)
    _order({**order, "state": "BREAKER_STATE_CLOSED"}, admin)


def _breaker_of(service: dict[str, str], endpoint: str, route: str) -> dict[str, Any]:
    """Which breaker an order is for."""
    if endpoint and route:
        raise UsageError("an endpoint has one breaker for all routes; give --endpoint or --route")
    return {"service": service, "endpoint": endpoint, "route": route}


def _order(order: dict[str, Any], admin: str) -> None:
    with AdminClient(admin) as client:
        answer = client.call("ForceBreakers", {"order": order})
    _show(answer["breakers"], Format.TABLE)
    if answer["unreachable"]:
        raise FindingError(f"not reached: {', '.join(answer['unreachable'])}; see `breakwater proxy-status`")


def _show(breakers: list[dict[str, Any]], output: Format) -> None:
    show(
        Listing(
            kind="Breaker",
            items=breakers,
            columns=(
                "SERVICE",
                "ROUTE",
                "ENDPOINT",
                "SIDECAR",
                "STATE",
                "FAILURES",
                "CONSECUTIVE",
                "REMAINING",
                "POLICY",
            ),
            rows=[_row(one["instance"], one["breaker"]) for one in breakers],
            empty="no breaker is in use; a ResiliencePolicy with a `breaker` block makes one",
        ),
        output,
    )


def _row(instance: str, breaker: dict[str, Any]) -> list[str]:
    return [
        figures.service(breaker["service"]),
        breaker["route"] or "-",
        breaker["endpoint"] or "-",
        instance,
        figures.state(breaker["state"]),
        f"{breaker['failures']}/{breaker['calls']}",
        str(breaker["consecutiveFailures"]),
        figures.age(breaker.get("remaining")),
        figures.policy(breaker.get("policy")),
    ]
