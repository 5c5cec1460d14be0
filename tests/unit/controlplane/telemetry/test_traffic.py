"""Traffic over a window, as one control plane counts it and shows it."""

import pytest

from controlplane.model.traffic import Question, Traffic
from controlplane.peers.traffic import add_up
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.report import Family, MetricType, Point, Shape
from controlplane.telemetry.traffic import count
from tests.support.reports import (
    ATTEMPTS,
    DURATIONS,
    EPOCH,
    IN_FLIGHT,
    REQUESTS,
    SECOND,
    baseline,
    counted,
    family,
    report,
    series,
    take,
)

LABELS = ("inbound", "shop/cart", "")
DELAY_SECONDS = 3


def traffic(merge: Merge, question: Question, now_ns: int) -> tuple[Traffic, ...]:
    return add_up([count(merge, question, now_ns, DELAY_SECONDS)], question)


def read(merge: Merge, question: Question | None = None, seconds: int = 20) -> tuple[Traffic, ...]:
    """What is read when 20 s of traffic have been reported in full."""
    return traffic(merge, question or Question(), EPOCH + (seconds + DELAY_SECONDS) * SECOND)


def after_20_seconds(*families: Family, instance: str = "cart-0") -> Merge:
    merge = Merge()
    take(merge, report(*families, instance=instance), EPOCH + 20 * SECOND)
    return merge


def test_rates_are_per_second_of_the_window() -> None:
    merge = after_20_seconds(family(REQUESTS, {series(): 200}))
    [row] = read(merge)
    assert (row.service, row.peer, row.sidecars) == ("shop/cart", "", 1)
    assert row.requests == pytest.approx(10)
    assert row.attempts == pytest.approx(10)
    assert row.success_ratio == 1


@pytest.mark.parametrize(
    ("labels", "is_success"),
    [
        (series(code="2xx", grpc="OK"), True),
        (series(code="2xx", grpc="UNAVAILABLE"), False),
        (series(code="2xx", grpc="NOT_FOUND"), True),
        (series(code="4xx"), True),
        (series(code="5xx"), False),
        (series(code="5xx", grpc="RESOURCE_EXHAUSTED"), True),
    ],
)
def test_success_is_told_by_grpc_status_first(labels: tuple[str, ...], *, is_success: bool) -> None:
    [row] = read(after_20_seconds(family(REQUESTS, {labels: 100})))
    assert row.success_ratio == is_success


def test_refusals_are_counted_by_reason() -> None:
    refused = series(code="4xx", reason="ratelimit.token")
    [row] = read(after_20_seconds(family(REQUESTS, {series(): 100, refused: 40})))
    assert row.requests == pytest.approx(7)
    assert row.refused == {"ratelimit.token": pytest.approx(2)}


def called_by(peer: str, *, requests: float, failures: float) -> tuple[Family, ...]:
    """What a sidecar of `peer` reports that called once more for each failure."""
    return (
        family(REQUESTS, {series(peer=peer): requests}),
        family(
            ATTEMPTS,
            {("shop/cart", peer, "success"): requests, ("shop/cart", peer, "failure"): failures},
        ),
        family(IN_FLIGHT, {("outbound", "shop/cart", peer): 2}),
    )


def test_callers_see_attempts_beside_requests() -> None:
    merge = after_20_seconds(*called_by("shop/web", requests=100, failures=50), instance="web-0")
    [row] = read(merge, Question(outbound=True))
    assert (row.service, row.peer) == ("shop/cart", "shop/web")
    assert row.requests == pytest.approx(5)
    assert row.attempts == pytest.approx(7.5)


def test_each_caller_has_a_row_sorted_after_the_service() -> None:
    merge = after_20_seconds(*called_by("shop/web", requests=100, failures=0), instance="web-0")
    for instance in ("batch-0", "batch-1"):
        batch = report(*called_by("shop/batch", requests=20, failures=20), instance=instance)
        take(merge, batch, EPOCH + 20 * SECOND)
    rows = traffic(merge, Question(outbound=True), EPOCH + 23 * SECOND)
    assert [(row.peer, row.sidecars, row.in_flight) for row in rows] == [
        ("shop/batch", 2, 4),
        ("shop/web", 1, 2),
    ]
    assert [row.attempts for row in rows] == [pytest.approx(4), pytest.approx(5)]


def test_a_service_itself_adds_all_its_callers_up() -> None:
    families = (
        family(REQUESTS, {series(): 100, series(peer="shop/db"): 100}),
        family(IN_FLIGHT, {LABELS: 1, ("outbound", "shop/db", "shop/cart"): 5}),
    )
    [row] = traffic(after_20_seconds(*families), Question(), EPOCH + 23 * SECOND)
    assert (row.service, row.peer, row.in_flight) == ("shop/cart", "", 1)


def test_only_the_service_asked_for_is_shown() -> None:
    merge = after_20_seconds(family(REQUESTS, {series(): 10, series("shop/web"): 10}))
    assert [row.service for row in read(merge)] == ["shop/cart", "shop/web"]
    assert [row.service for row in read(merge, Question(service="shop/web"))] == ["shop/web"]


def test_service_without_requests_in_the_window_is_left_out() -> None:
    merge = after_20_seconds(family(REQUESTS, {series(): 10}))
    assert read(merge, seconds=60) == ()


def test_latency_and_requests_in_flight_are_shown() -> None:
    durations = Family(shape=DURATIONS, points={LABELS: Point(10, (90, 9, 1, 0))})
    in_flight = family(IN_FLIGHT, {LABELS: 4})
    merge = after_20_seconds(family(REQUESTS, {series(): 100}), durations, in_flight)
    [row] = traffic(merge, Question(), EPOCH + 23 * SECOND)
    assert row.latency.p50 == pytest.approx(0.01 * 50 / 90)
    assert row.latency.p95 == pytest.approx(0.01 + 0.09 * 5 / 9)
    assert row.latency.p99 == pytest.approx(0.1)
    assert row.in_flight == 4


def test_sidecar_that_moved_is_known_from_what_was_counted_elsewhere() -> None:
    merge = after_20_seconds(family(REQUESTS, {series(): 200}))
    moved = counted(
        70, instance="cart-1", at=EPOCH + 20 * SECOND, baseline=baseline(0, at=EPOCH + 13 * SECOND)
    )
    merge.take(moved, EPOCH + 20 * SECOND)
    share = count(merge, Question(), EPOCH + 23 * SECOND, DELAY_SECONDS)
    assert {one.instance: one.known_seconds for one in share.reporters} == {"cart-0": None, "cart-1": 7}
    [row] = read(merge, Question(window_seconds=7))
    assert row.requests == pytest.approx(20)


def by_rule(name: str, *more: str) -> Shape:
    """A family whose series name a rule."""
    return Shape(name=name, type=MetricType.COUNTER, labels=("service", "peer", "route", *more))


def test_what_falls_under_a_rule_is_added_up_over_callers() -> None:
    requests = by_rule(REQUESTS.name, "direction", "code_class")
    attempts = by_rule(ATTEMPTS.name, "result")
    sent: dict[tuple[str, ...], float] = {
        ("shop/cart", peer, rule, "outbound", "2xx"): 100.0
        for peer in ("shop/web", "shop/batch")
        for rule in ("api/get", "")
    }
    tried: dict[tuple[str, ...], float] = {
        ("shop/cart", "shop/web", "api/get", result): count
        for result, count in (("success", 150.0), ("failure", 50.0), ("cancelled", 40.0))
    }
    merge = after_20_seconds(family(requests, sent), family(attempts, tried), instance="web-0")
    rest, ruled = read(merge, Question(outbound=True, by_route=True))
    assert (rest.route, ruled.route, ruled.peer) == ("", "api/get", "")
    assert ruled.requests == rest.requests == pytest.approx(10)
    assert ruled.attempts == pytest.approx(12)
    assert ruled.attempt_success_ratio == pytest.approx(0.75)
