"""Which version of the program this is."""

from __future__ import annotations

from sidecar.fanout import VERSION


def program_version() -> str:
    """The version of the distribution, as its core has it: to read it from what pip installed takes 1 MB."""
    return VERSION
