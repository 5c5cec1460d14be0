"""Which connections are led to the sidecar, as rules for nftables and for iptables. Pure.

What others send to this host goes to the inbound port of the sidecar, what leaves it goes to the outbound
port. Left alone are the sidecar's own connections, by its user; connections within this host, so that the
application reaches itself and the sidecar reaches it; and whatever is excluded. Both families are treated
alike, and nothing but TCP is touched.

The rules replace any of ours that are there, in one step: running twice leaves what running once does, and no
connection slips through between.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TABLE = "breakwater"
INBOUND, OUTBOUND = "BREAKWATER_INBOUND", "BREAKWATER_OUTBOUND"

JUMPS = (
    ("PREROUTING", "-p", "tcp", "-j", INBOUND),
    ("OUTPUT", "-p", "tcp", "-j", OUTBOUND),
)
"""Where the chains of iptables begin: the built-in chain, and the rule in it."""


class Settings(NamedTuple):
    """Where connections go, and which do not: ports are those that were called, CIDRs of both families."""

    inbound_port: int
    outbound_port: int
    user: int
    exclude_inbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_cidrs: tuple[str, ...] = ()


def nftables(settings: Settings) -> str:
    """The script that puts the rules in place of those that are there."""
    return "\n".join((nftables_removal(), *_table(settings), ""))


def nftables_removal() -> str:
    """The script that takes them away, if they are there."""
    return f"add table inet {TABLE}\ndelete table inet {TABLE}\n"


def _table(settings: Settings) -> Iterator[str]:
    yield f"table inet {TABLE} {{"
    yield "  chain inbound {"
    yield "    type nat hook prerouting priority dstnat; policy accept;"
    yield "    meta l4proto != tcp return"
    yield "    fib daddr type != local return"
    yield f"    tcp dport {_set((settings.inbound_port, *settings.exclude_inbound_ports))} return"
    yield f"    meta l4proto tcp redirect to :{settings.inbound_port}"
    yield "  }"
    yield "  chain outbound {"
    yield "    type nat hook output priority -100; policy accept;"
    yield "    meta l4proto != tcp return"
    yield f"    meta skuid {settings.user} return"
    yield "    fib daddr type local return"
    if settings.exclude_outbound_ports:
        yield f"    tcp dport {_set(settings.exclude_outbound_ports)} return"
    for family, version in (("ip", 4), ("ip6", 6)):
        if blocks := _of_version(settings.exclude_outbound_cidrs, version):
            yield f"    {family} daddr {_set(blocks)} return"
    yield f"    meta l4proto tcp redirect to :{settings.outbound_port}"
    yield "  }"
    yield "}"


def _set(items: Iterable[int] | Iterable[str]) -> str:
    return f"{{ {', '.join(map(str, items))} }}"


def iptables(settings: Settings, version: int, jumps: Iterable[Sequence[str]]) -> str:
    """The input of `iptables-restore --noflush` for one family, with those of `JUMPS` that are missing."""
    return "\n".join(("*nat", *_chains(settings, version), *map(_appended, jumps), "COMMIT", ""))


def _appended(jump: Sequence[str]) -> str:
    return f"-A {' '.join(jump)}"


def _chains(settings: Settings, version: int) -> Iterator[str]:
    yield f":{INBOUND} - [0:0]"
    yield f":{OUTBOUND} - [0:0]"
    yield f"-A {INBOUND} -m addrtype ! --dst-type LOCAL -j RETURN"
    for port in (settings.inbound_port, *settings.exclude_inbound_ports):
        yield f"-A {INBOUND} -p tcp --dport {port} -j RETURN"
    yield f"-A {INBOUND} -p tcp -j REDIRECT --to-ports {settings.inbound_port}"
    yield f"-A {OUTBOUND} -m owner --uid-owner {settings.user} -j RETURN"
    yield f"-A {OUTBOUND} -m addrtype --dst-type LOCAL -j RETURN"
    for port in settings.exclude_outbound_ports:
        yield f"-A {OUTBOUND} -p tcp --dport {port} -j RETURN"
    for block in _of_version(settings.exclude_outbound_cidrs, version):
        yield f"-A {OUTBOUND} -d {block} -j RETURN"
    yield f"-A {OUTBOUND} -p tcp -j REDIRECT --to-ports {settings.outbound_port}"


def _of_version(blocks: Iterable[str], version: int) -> tuple[str, ...]:
    """Those of one family, without any that lies within another: sets of nftables refuse such."""
    networks = (ipaddress.ip_network(block, strict=False) for block in blocks)
    found = [network for network in networks if network.version == version]
    collapsed = ipaddress.collapse_addresses(found)  # type: ignore[type-var]  # all of one family
    return tuple(map(str, collapsed))
