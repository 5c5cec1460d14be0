"""`version`: this program's version beside the control plane's."""

from __future__ import annotations

from typing import Annotated

import typer

from controlplane.cli import options
from controlplane.cli.client import AdminClient
from controlplane.cli.output import Format, print_lines, show_document
from controlplane.version import program_version

_NAMES = {"client": "client", "controlPlane": "control plane"}


def version(
    *,
    client: Annotated[bool, typer.Option("--client", help="Only this program's.")] = False,
    output: options.Output = options.TABLE,
    admin: options.Admin = options.ADMIN,
) -> None:
    """Show this program's version and the control plane's."""
    versions = {"client": program_version(), "controlPlane": ""}
    try:
        if not client:
            versions["controlPlane"] = _control_plane(admin)
    finally:
        _show(versions, output)


def _control_plane(admin: str) -> str:
    with AdminClient(admin, timeout_seconds=3) as client:
        return str(client.call("GetStatus")["version"])


def _show(versions: dict[str, str], output: Format) -> None:
    if output in {Format.JSON, Format.YAML}:
        show_document({"kind": "Version", **versions}, output)
    else:
        print_lines(f"{_NAMES[program]:14} {found}" for program, found in versions.items() if found)
