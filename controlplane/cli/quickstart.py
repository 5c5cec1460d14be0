"""`quickstart`: the whole mesh on this machine, with demo services, and a story to watch."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.demo.main import play
from controlplane.demo.mesh import Store


def quickstart(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running to play with.")] = False,
    store: Annotated[
        Store,
        typer.Option("--store", help="Keep the registry in a file, or in a real etcd that loses its leader."),
    ] = Store.SQLITE,
) -> None:
    """Start a control plane, demo services with sidecars and load, and play the story."""
    raise typer.Exit(play(keep=keep, store=store))
