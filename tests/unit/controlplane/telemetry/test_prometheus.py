"""Merged reports on the page that Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from controlplane.telemetry.merge import Merge
from controlplane.telemetry.prometheus import MergedCollector
from controlplane.telemetry.report import Family, MetricType, Point, Shape
from registry.families import encode
from tests.support.reports import DURATIONS, NOW, family, report, take


def page(*families: Family) -> str:
    merge = Merge()
    take(merge, report(*families), NOW)
    return encode(MergedCollector(merge, lambda: NOW).collect()).decode()


def test_times_are_told_up_to_each_bound() -> None:
    point = Point(12.5, (1, 0, 2, 4))
    text = page(Family(shape=DURATIONS, points={("inbound", "shop/cart", ""): point}))
    [found, _] = text_string_to_metric_families(text)
    assert [(one.labels.get("le"), one.value) for one in found.samples] == [
        ("0.01", 1),
        ("0.1", 1),
        ("1.0", 3),
        ("+Inf", 7),
        (None, 7),
        (None, 12.5),
    ]


def test_a_sidecar_cannot_break_the_page_with_names() -> None:
    strange = Shape(name='1 of "mine"\nup 0', type=MetricType.COUNTER, labels=("a b", "2", "a:c"))
    empty = Shape(name="", type=MetricType.GAUGE, labels=("",))
    text = page(family(strange, {("x", "y\n", "z"): 1}), family(empty, {("x",): 1}))
    found = {one.name: one for one in text_string_to_metric_families(text)}
    assert list(found) == ["_", "__of__mine__up_0", "breakwater_controlplane_telemetry_overflows"]
    assert [list(sample.labels) for sample in found["_"].samples] == [["_"]]
    assert [list(sample.labels) for sample in found["__of__mine__up_0"].samples] == [["_", "a_b", "a_c"]]
