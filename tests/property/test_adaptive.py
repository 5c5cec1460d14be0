"""Limits that move, and resources that are used too much, against the rules as they are written down."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.machines.rate_limit import Adaptive, AdaptiveParams, Strain
from sidecar.machines.units import SECOND_NS
from tests.support.examples import thousands

bounds = st.tuples(st.integers(1, 50), st.integers(0, 500)).map(lambda pair: (pair[0], sum(pair)))
measurements = st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=30)


@settings(thousands())
@given(bounds=bounds, start=st.integers(0, 600), measured=measurements)
def test_a_limit_grows_in_steps_shrinks_by_a_quarter_and_keeps_within_its_bounds(
    bounds: tuple[int, int], start: int, measured: list[int | None]
) -> None:
    low, high = bounds
    adaptive = Adaptive(AdaptiveParams(min=low, max=high, target=10), start, 0)
    limit = min(max(start, low), high)
    for number, value in enumerate(measured, start=1):
        now_ns = number * 5 * SECOND_NS
        assert adaptive.is_due(now_ns)
        if value is not None:
            limit = limit * 3 // 4 if value > 10 else limit + max(1, (high - low) // 20)
            limit = min(max(limit, low), high)
        assert adaptive.adapt(value, now_ns) == limit == adaptive.limit
        assert not adaptive.is_due(now_ns + 5 * SECOND_NS - 1)


percents = st.integers(0, 100)


@settings(thousands())
@given(enter=percents, exit_=percents, used=st.lists(percents, max_size=30))
def test_strain_begins_at_one_threshold_and_ends_below_the_other(
    enter: int, exit_: int, used: list[int]
) -> None:
    strain, is_strained = Strain(), False
    for share in used:
        if share >= enter:
            is_strained = True
        elif share < min(enter, exit_):
            is_strained = False
        assert strain.observe(enter, exit_, share) == is_strained
