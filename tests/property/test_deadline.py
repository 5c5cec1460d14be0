"""Deadlines and their two spellings on the wire."""

import re
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.deadline import (
    Deadline,
    encode_grpc_timeout,
    fix_deadline,
    parse_deadline_ms,
    parse_grpc_timeout,
)
from sidecar.machines.units import MILLISECOND_NS, SECOND_NS
from tests.support.examples import thousands

UNITS_NS = {
    "n": 1,
    "u": 1_000,
    "m": MILLISECOND_NS,
    "S": SECOND_NS,
    "M": 60 * SECOND_NS,
    "H": 3600 * SECOND_NS,
}
LONGEST = 2**64 - 1

instants = st.integers(0, 2**40)
bounds = st.one_of(st.none(), st.integers(0, 100 * SECOND_NS))


@thousands()
@given(now_ns=instants, policy_ns=bounds, carried_ns=bounds, grpc_ns=bounds, later_ns=instants)
def test_the_soonest_bound_holds_and_shrinks_on_the_way(
    now_ns: int, policy_ns: int | None, carried_ns: int | None, grpc_ns: int | None, later_ns: int
) -> None:
    deadline = fix_deadline(now_ns, policy_ns=policy_ns, carried_ns=carried_ns, grpc_ns=grpc_ns)
    given_bounds = [bound for bound in (policy_ns, carried_ns, grpc_ns) if bound is not None]
    if not given_bounds:
        assert deadline is None
        return
    soonest_ns = min(given_bounds)
    if soonest_ns == 0:
        assert deadline == "exhausted"
        return
    assert isinstance(deadline, Deadline)
    assert deadline.at_ns == now_ns + soonest_ns
    assert deadline.is_callers == (soonest_ns != policy_ns)
    handed_on_ns = max(0, deadline.at_ns - later_ns - 2 * MILLISECOND_NS)
    assert deadline.left_ns(later_ns) == max(0, deadline.at_ns - later_ns)
    assert deadline.handed_on_ms(later_ns) == handed_on_ns // MILLISECOND_NS
    assert deadline.handed_on_grpc(later_ns) == encode_grpc_timeout(handed_on_ns)


@thousands()
@given(field=st.one_of(st.binary(max_size=12), st.from_regex(rb"\d{0,25}", fullmatch=True)))
def test_a_deadline_field_is_digits_or_nothing(field: bytes) -> None:
    is_number = re.fullmatch(rb"[0-9]+", field) is not None
    expected = min(LONGEST, min(LONGEST, int(field)) * MILLISECOND_NS) if is_number else None
    assert parse_deadline_ms(field) == expected


@thousands()
@given(field=st.one_of(st.binary(max_size=10), st.from_regex(rb"\d{0,9}[HMSmunx]", fullmatch=True)))
def test_a_grpc_timeout_is_read_as_its_specification_says(field: bytes) -> None:
    match = re.fullmatch(rb"([0-9]{1,8})([HMSmun])", field)
    expected = int(match[1]) * UNITS_NS[match[2].decode()] if match else None
    assert parse_grpc_timeout(field) == (None if expected is None else min(LONGEST, expected))


@thousands()
@given(left_ns=st.one_of(st.integers(0, LONGEST), st.integers(0, 10**12)))
def test_a_grpc_timeout_is_written_in_the_finest_unit_that_fits(left_ns: int) -> None:
    text = encode_grpc_timeout(left_ns)
    unit = next(unit for unit, unit_ns in UNITS_NS.items() if left_ns // unit_ns < 10**8)
    assert text == f"{left_ns // UNITS_NS[unit]}{unit}"
    read_ns = parse_grpc_timeout(text.encode())
    assert read_ns is not None
    assert 0 <= Fraction(left_ns - read_ns, UNITS_NS[unit]) < 1
