"""Histograms and the recent median against sorted lists."""

from bisect import bisect_left
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.latency import HISTOGRAM_BOUNDS_NS, Histogram, RecentLatency
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.examples import thousands
from tests.support.sequences import invariant, rule, shown

latencies = st.one_of(st.integers(0, 20 * SECOND_NS), st.sampled_from(HISTOGRAM_BOUNDS_NS))


@thousands()
@given(one=st.lists(latencies), other=st.lists(latencies), share=st.integers(0, 100))
def test_a_quantile_lies_in_the_bucket_of_its_value(one: list[int], other: list[int], share: int) -> None:
    histogram, more = Histogram(), Histogram()
    for latency_ns in one:
        histogram.record(latency_ns)
    for latency_ns in other:
        more.record(latency_ns)
    histogram.merge(more)
    values = sorted(one + other)
    assert histogram.sum_ns == sum(values)
    assert sum(histogram.counts) == len(values)
    quantile_ns = histogram.quantile_ns(share)
    if not values:
        assert quantile_ns is None
        return
    assert quantile_ns is not None
    bucket = bisect_left(HISTOGRAM_BOUNDS_NS, values[max(1, ceil(len(values) * share / 100)) - 1])
    low_ns = 0 if bucket == 0 else HISTOGRAM_BOUNDS_NS[bucket - 1]
    high_ns = HISTOGRAM_BOUNDS_NS[min(bucket, len(HISTOGRAM_BOUNDS_NS) - 1)]
    assert min(low_ns, high_ns) <= quantile_ns <= high_ns


class RecentLatencyMachine:
    """Attempts that come and are forgotten by the minute."""

    def __init__(self) -> None:
        super().__init__()
        self.recent = RecentLatency()
        self.attempts: list[tuple[int, int]] = []
        self.now_ns = 0

    @rule(latency_ns=drawn.integers(100_000, 100 * SECOND_NS), count=drawn.integers(1, 15))
    def succeed(self, latency_ns: int, count: int) -> None:
        for _ in range(count):
            self.recent.record(latency_ns, self.now_ns)
            self.attempts.append((self.now_ns // (6 * SECOND_NS), latency_ns))

    @rule(step_ns=drawn.sampled_from([1, SECOND_NS, 6 * SECOND_NS, 20 * SECOND_NS, 60 * SECOND_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @invariant()
    def the_median_is_known_from_twenty_on_and_within_a_sixteenth(self) -> None:
        bucket = self.now_ns // (6 * SECOND_NS)
        values = sorted(latency_ns for at, latency_ns in self.attempts if bucket - at < 10)
        p50_ns = self.recent.p50_ns(self.now_ns)
        if len(values) < 20:
            assert p50_ns is None
            return
        assert p50_ns is not None
        median_ns = values[ceil(len(values) / 2) - 1]
        assert abs(p50_ns - median_ns) * 16 <= median_ns


test_the_median_is_that_of_the_last_minute = shown(RecentLatencyMachine, steps=20)
