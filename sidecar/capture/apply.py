"""Puts the rules in place, and takes them away: with nftables, else with iptables."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from sidecar.capture import rules
from sidecar.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidecar.capture.rules import Settings

_FAMILIES = ((4, "iptables"), (6, "ip6tables"))
_IPV6 = "/proc/net/if_inet6"
"""Is there where the system has IPv6."""


def install(settings: Settings) -> str:
    """Put the rules in place of any that are there; returns which program did.

    Raises:
        CaptureError: No program could.
    """
    try:
        _run(("nft", "-f", "-"), rules.nftables(settings))
    except CaptureError as refused:
        try:
            _install_iptables(settings)
        except CaptureError as error:
            raise CaptureError(f"{refused}; {error}") from error
        return "iptables"
    return "nftables"


def remove() -> None:
    """Take the rules away, whichever program put them there; nothing happens where there are none."""
    if _succeeds(("nft", "list", "table", "inet", rules.TABLE)):
        _run(("nft", "-f", "-"), rules.nftables_removal())
    for _, program in _FAMILIES:
        _remove_iptables(program)


def _install_iptables(settings: Settings) -> None:
    for version, program in _FAMILIES:
        if version == 4 or os.path.exists(_IPV6):  # noqa: PLR2004, PTH110 (the family; pathlib needs more)
            missing = [
                jump for jump in rules.JUMPS if not _succeeds((program, "-w", "-t", "nat", "-C", *jump))
            ]
            restored = rules.iptables(settings, version, missing)
            _run((f"{program}-restore", "-w", "--noflush"), restored)


def _remove_iptables(program: str) -> None:
    table = (program, "-w", "-t", "nat")
    for jump in rules.JUMPS:
        if _succeeds((*table, "-C", *jump)):
            _run((*table, "-D", *jump))
    for chain in (rules.INBOUND, rules.OUTBOUND):
        if _succeeds((*table, "-F", chain)):
            _run((*table, "-X", chain))


def _succeeds(words: Sequence[str]) -> bool:
    try:
        _run(words)
    except CaptureError:
        return False
    return True


def _run(words: Sequence[str], text: str = "") -> None:
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    except OSError as error:
        raise CaptureError(f"{words[0]}: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise CaptureError(f"{words[0]}: {said[0]}")
