"""The options that verbs share, each stated once."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.cli.access import HERE
from controlplane.cli.output import Format

Admin = Annotated[
    str,
    typer.Option(
        "--admin",
        envvar="BREAKWATER_ADMIN",
        metavar="HOST:PORT",
        help=f"The admin port to ask; {HERE} if anything listens there, else through the kubeconfig.",
        show_default=False,
    ),
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of names that carry none.")]
OneNamespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="Only this namespace, which is also that of a name that carries none.",
        show_default=False,
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Every namespace.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to show the answer.")]
Window = Annotated[str, typer.Option("--window", help="Time that rates are taken over, such as 10s.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show again every second until interrupted.")]

ADMIN = ""
NAMESPACE = "default"
TABLE = Format.TABLE
