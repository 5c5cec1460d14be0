"""Which connections are led to the sidecar, in the words of nftables and iptables."""

import pytest

from sidecar.capture import rules
from sidecar.capture.rules import JUMPS, Settings

SETTINGS = Settings(
    inbound_port=15006,
    outbound_port=15001,
    user=10002,
    exclude_inbound_ports=(9100, 15090),
    exclude_outbound_ports=(5432,),
    exclude_outbound_cidrs=("10.0.0.0/8", "10.9.0.0/16", "fd00::/8"),
)


def lines(text: str, chain: str) -> list[str]:
    """Return the rules of a chain of nftables."""
    after = text.split(f"chain {chain} {{\n")[1].split("  }\n", maxsplit=1)[0]
    return [line.strip() for line in after.splitlines()]


def test_others_are_led_to_the_inbound_port_but_for_what_is_excluded() -> None:
    assert lines(rules.nftables(SETTINGS), "inbound") == [
        "type nat hook prerouting priority dstnat; policy accept;",
        "meta l4proto != tcp return",
        "fib daddr type != local return",
        "tcp dport { 15006, 9100, 15090 } return",
        "meta l4proto tcp redirect to :15006",
    ]


def test_the_application_is_led_to_the_outbound_port_but_for_what_is_excluded() -> None:
    assert lines(rules.nftables(SETTINGS), "outbound") == [
        "type nat hook output priority -100; policy accept;",
        "meta l4proto != tcp return",
        "meta skuid 10002 return",
        "fib daddr type local return",
        "tcp dport { 5432 } return",
        "ip daddr { 10.0.0.0/8 } return",
        "ip6 daddr { fd00::/8 } return",
        "meta l4proto tcp redirect to :15001",
    ]


def test_the_rules_of_before_go_in_the_same_step() -> None:
    assert rules.nftables(SETTINGS).startswith(rules.nftables_removal())


@pytest.mark.parametrize(("version", "block"), [(4, "10.0.0.0/8"), (6, "fd00::/8")])
def test_iptables_says_the_same_for_each_family(version: int, block: str) -> None:
    assert rules.iptables(SETTINGS, version, JUMPS[:1]).splitlines() == [
        "*nat",
        ":BREAKWATER_INBOUND - [0:0]",
        ":BREAKWATER_OUTBOUND - [0:0]",
        "-A BREAKWATER_INBOUND -m addrtype ! --dst-type LOCAL -j RETURN",
        "-A BREAKWATER_INBOUND -p tcp --dport 15006 -j RETURN",
        "-A BREAKWATER_INBOUND -p tcp --dport 9100 -j RETURN",
        "-A BREAKWATER_INBOUND -p tcp --dport 15090 -j RETURN",
        "-A BREAKWATER_INBOUND -p tcp -j REDIRECT --to-ports 15006",
        "-A BREAKWATER_OUTBOUND -m owner --uid-owner 10002 -j RETURN",
        "-A BREAKWATER_OUTBOUND -m addrtype --dst-type LOCAL -j RETURN",
        "-A BREAKWATER_OUTBOUND -p tcp --dport 5432 -j RETURN",
        f"-A BREAKWATER_OUTBOUND -d {block} -j RETURN",
        "-A BREAKWATER_OUTBOUND -p tcp -j REDIRECT --to-ports 15001",
        "-A PREROUTING -p tcp -j BREAKWATER_INBOUND",
        "COMMIT",
    ]
