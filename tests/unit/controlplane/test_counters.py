"""What counts and what times."""

from controlplane.counters import Counter, Histogram
from controlplane.metrics import Metrics


def test_counts_are_kept_by_their_labels() -> None:
    counter = Counter("calls_total", "Calls.", ("result",))
    counter.labels("ok").inc()
    counter.labels("bad")
    counter.labels("ok").inc()
    [family] = counter.collect()
    assert [(one.labels["result"], one.value) for one in family.samples] == [("ok", 2), ("bad", 0)]


def test_times_fall_into_the_first_bound_that_is_no_less() -> None:
    histogram = Histogram("took_seconds", "Took.", (1.0, 2.0))
    times = histogram.labels()
    for seconds in (0.5, 1.0, 1.5, 8.0):
        times.observe(seconds)
    [family] = histogram.collect()
    assert [one.value for one in family.samples] == [2, 3, 4, 4, 11]


def test_what_has_no_labels_is_shown_before_it_happens() -> None:
    shown = {sample.name for family in Metrics().collect() for sample in family.samples}
    assert "breakwater_controlplane_convergence_seconds_count" in shown
    assert "breakwater_controlplane_compile_duration_seconds_sum" in shown


def test_what_is_registered_is_shown_too() -> None:
    metrics = Metrics()
    metrics.register(Counter("more_total", "More."))
    assert "more_total" in {family.name for family in metrics.collect()}
