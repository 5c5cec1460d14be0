"""`quickstart`: the whole mesh on this machine, with demo services, and a story to watch."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.demo.main import play


def quickstart(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running to play with.")] = False,
) -> None:
    """Start a control plane, demo services with sidecars and load, and play the story."""
    raise typer.Exit(play(keep=keep))
