"""`breakwater-capture`: leads the connections of a pod to its sidecar, or no longer."""

from __future__ import annotations

import argparse
import ipaddress
import sys
from typing import TYPE_CHECKING

from sidecar.capture import apply
from sidecar.capture.rules import Settings
from sidecar.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
_MAX_PORT = 65_535
_MAX_USER = 2**32 - 2


def main(argv: Sequence[str]) -> int:
    """Return the exit status: 0 when done, 1 when no program could change the rules.

    Raises:
        SystemExit: The flags are wrong, which is told; its status is 2.
    """
    given = _parser().parse_args(argv)
    try:
        if given.remove:
            apply.remove()
            return 0
        program = apply.install(_settings(given))
    except CaptureError as error:
        sys.stderr.write(f"breakwater-capture: {error}\n")
        return FAILED
    sys.stdout.write(f"breakwater-capture: connections are led to the sidecar, by {program}\n")
    return 0


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        inbound_port=given.inbound_port,
        outbound_port=given.outbound_port,
        user=given.exclude_user,
        exclude_inbound_ports=given.exclude_inbound_ports,
        exclude_outbound_ports=given.exclude_outbound_ports,
        exclude_outbound_cidrs=given.exclude_outbound_cidrs,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="breakwater-capture",
        description="Leads TCP connections of this network namespace to the sidecar, as CAP_NET_ADMIN may.",
        allow_abbrev=False,
    )
    parser.add_argument("--remove", action="store_true", help="take the rules away instead")
    ports, cidrs = "PORT[,PORT...]", "CIDR[,CIDR...]"
    for name, kind, shape, text, default in (
        ("inbound-port", _port, "PORT", "where the sidecar takes what others send", 15006),
        ("outbound-port", _port, "PORT", "where it takes what the application sends", 15001),
        ("exclude-user", _user, "UID", "the user of the sidecar, whose connections are left alone", 15001),
        ("exclude-inbound-ports", _ports, ports, "ports of this host that are left alone", ()),
        ("exclude-outbound-ports", _ports, ports, "ports of others that are left alone", ()),
        ("exclude-outbound-cidrs", _cidrs, cidrs, "addresses of others that are left alone", ()),
    ):
        told = f"{text} (default: {default or 'none'})"
        parser.add_argument(f"--{name}", type=kind, metavar=shape, help=told, default=default)
    return parser


def _port(text: str) -> int:
    return _number(text, 1, _MAX_PORT, "a port")


def _user(text: str) -> int:
    return _number(text, 0, _MAX_USER, "the number of a user")


def _number(text: str, least: int, most: int, what: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"expected {what}, found {text!r}")
    return number


def _ports(text: str) -> tuple[int, ...]:
    return tuple(sorted({_port(item.strip()) for item in text.split(",")}))


def _cidrs(text: str) -> tuple[str, ...]:
    return tuple(map(_cidr, text.split(",")))


def _cidr(text: str) -> str:
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected an address or a CIDR block, found {text!r}") from error
    if "%" in text:  # what follows may be any text
        raise argparse.ArgumentTypeError(f"expected an address without an interface, found {text!r}")
    return str(found)


def run() -> None:
    """Run the program, and exit with its status."""
    sys.exit(main(sys.argv[1:]))
