"""`breakwater`: puts the verbs together and turns what ends a command into an exit code.

Exit codes: 0 ok, 1 finding, 2 usage, 3 cannot reach the control plane.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from controlplane.cli import access, breakers, describe, output, policy, proxy_config, registry
from controlplane.cli.analyze import analyze
from controlplane.cli.check import check
from controlplane.cli.check_inject import check_inject
from controlplane.cli.errors import CommandError
from controlplane.cli.explain import explain
from controlplane.cli.inject import inject, uninject
from controlplane.cli.limits import limits
from controlplane.cli.policy_history import diff, history, rollback
from controlplane.cli.proxy_status import proxy_status
from controlplane.cli.quickstart import quickstart
from controlplane.cli.registry_watch import watch
from controlplane.cli.routes import routes
from controlplane.cli.stat import stat
from controlplane.cli.version import version

app = typer.Typer(
    name="breakwater",
    help="Ask a Breakwater control plane, and change its policies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    *,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR says the same.")] = False,
    admin_ca: Annotated[
        str, typer.Option(metavar="FILE", help=f"Whom to trust, in PEM; or {access.CA}.")
    ] = "",
    admin_token_file: Annotated[
        str, typer.Option(metavar="FILE", help=f"The token to show; or {access.TOKEN_FILE}.")
    ] = "",
    admin_cert: Annotated[
        str, typer.Option(metavar="FILE", help=f"The certificate to show, in PEM; or {access.CERTIFICATE}.")
    ] = "",
    admin_key: Annotated[
        str, typer.Option(metavar="FILE", help=f"The key of that certificate; or {access.KEY}.")
    ] = "",
    context: Annotated[
        str, typer.Option(metavar="NAME", help="The context of the kubeconfig to ask through.")
    ] = "",
    kubeconfig: Annotated[
        str, typer.Option(metavar="FILE", help="The kubeconfig to ask through; default KUBECONFIG's.")
    ] = "",
) -> None:
    access.remember(
        {
            access.CA: admin_ca,
            access.TOKEN_FILE: admin_token_file,
            access.CERTIFICATE: admin_cert,
            access.KEY: admin_key,
            access.CONTEXT: context,
            access.KUBECONFIG: kubeconfig,
        }
    )
    if no_color:
        output.forgo_colour()


for verb in (
    analyze,
    check,
    proxy_status,
    stat,
    routes,
    limits,
    explain,
    inject,
    uninject,
    check_inject,
    quickstart,
    version,
):
    app.command(verb.__name__.replace("_", "-"))(verb)
for policy_verb in (history, diff, rollback):
    policy.app.command(policy_verb.__name__)(policy_verb)
registry.app.command("watch")(watch)
app.add_typer(describe.app, name="describe")
app.add_typer(breakers.app, name="breakers")
app.add_typer(policy.app, name="policy")
app.add_typer(proxy_config.app, name="proxy-config")
app.add_typer(registry.app, name="registry")


def run() -> None:
    """Run the command line of this process, and exit."""
    try:
        app()
    except CommandError as error:
        if str(error):
            print(f"breakwater: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
