"""Which version of the program this is."""

from __future__ import annotations

from importlib import metadata


def program_version() -> str:
    """The version of the installed distribution; `0` when run from a source tree that is not installed."""
    try:
        return metadata.version("breakwater")
    except metadata.PackageNotFoundError:
        return "0"
