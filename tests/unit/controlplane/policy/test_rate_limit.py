"""Limits: their rules and their compiled form."""

import re

import pytest

from controlplane.model.effective import CallerMatch
from controlplane.model.value import find
from controlplane.policy.rate_limit import compile_rules
from tests.support.builders import SCHEMA, documents, policy, read
from tests.unit.controlplane.sources.test_reader import LIMIT


def found(limit: str) -> list[str]:
    return found_in(LIMIT.format(limit=limit))


def found_in(text: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in read(text).problems]


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        (
            "{name: a, requests: 10, per: 1s, cost: {fixed: 11}}",
            (
                "spec.limits[0].cost.fixed: a cost of 11 never fits into burst (10, its default), "
                "so nothing would be admitted"
            ),
        ),
        (
            "{name: a, requests: 60, per: 1m, burst: 4, cost: {fixed: 5}}",
            "spec.limits[0].cost.fixed: a cost of 5 never fits into burst (4), so nothing would be admitted",
        ),
        (
            "{name: a, requests: 1, per: 1s, by: [{}]}",
            "spec.limits[0].by[0]: names nothing; set one of its fields",
        ),
        (
            "{name: a, requests: 1, per: 1s, by: [{path: false}]}",
            "spec.limits[0].by[0].path: expected true, found false",
        ),
        (
            "{name: a, requests: 1, per: 1s, match: [{path: {}}]}",
            "spec.limits[0].match[0].path: names nothing; set one of its fields",
        ),
        (
            "{name: a, requests: 1, per: 1s, match: [{headers: [{name: x}]}]}",
            "spec.limits[0].match[0].headers[0]: expected value or present",
        ),
        (
            "{name: a, requests: 1, per: 1s}\n  - {name: a, requests: 2, per: 1s}",
            "spec.limits[1].name: the name of limits[0] too",
        ),
        (
            "{name: a, requests: 1, per: 1s, by: [{header: x, cookie: session}]}",
            "spec.limits[0].by[0].cookie: excludes header; set one of them",
        ),
        (
            "{name: a}",
            (
                "spec.limits[0]: names nothing to limit; "
                "set one of requests, concurrency, connections, bandwidth, resource"
            ),
        ),
        ("{name: a, requests: 1}", "spec.limits[0].per: required with requests"),
        (
            "{name: a, requests: 1, per: 1s, concurrency: 1}",
            "spec.limits[0].concurrency: excludes requests; set one of them",
        ),
        (
            "{name: a, concurrency: 1, algorithm: FixedWindow}",
            "spec.limits[0].algorithm: a limit of concurrency has no such field",
        ),
        (
            "{name: a, concurrency: 9, adaptive: {min: 10, max: 20, target: {p99: 1s}}}",
            "spec.limits[0].concurrency: expected from adaptive.min (10) to adaptive.max (20), found 9",
        ),
        (
            (
                "{name: a, requests: 10, per: 1s, algorithm: SlidingLog, "
                "adaptive: {min: 10, max: 20000, target: {p99: 1s}}}"
            ),
            "spec.limits[0].adaptive.max: a SlidingLog has 10000 at most",
        ),
        (
            "{name: a, concurrency: 5, adaptive: {min: 1, max: 9, target: {}}}",
            "spec.limits[0].adaptive.target: expected p99, cpuPercent or queuePercent",
        ),
        (
            "{name: a, connections: {}}",
            "spec.limits[0].connections: expected concurrent, perSecond or both",
        ),
        (
            "{name: a, connections: {concurrent: 1}, by: [{header: x}]}",
            "spec.limits[0].by[0].header: of a connection only its sourceIp is known",
        ),
        (
            "{name: a, resource: {}}",
            "spec.limits[0].resource: expected cpuPercent, memoryPercent or pressure",
        ),
        (
            "{name: a, resource: {pressure: {exit: 3}}}",
            "spec.limits[0].resource.pressure.enter: required",
        ),
        (
            "{name: a, resource: {cpuPercent: {enter: 80, exit: 80.5}}}",
            "spec.limits[0].resource.cpuPercent.exit: expected at most enter (80), found 80.5",
        ),
        (
            "{name: a, resource: {cpuPercent: {enter: 80}}, by: [{sourceIp: true}]}",
            "spec.limits[0].by: a limit of resource has no such field",
        ),
        (
            "{name: a, algorithm: FixedWindow, requests: 10, per: 1s, burst: 20}",
            "spec.limits[0].burst: only a TokenBucket has it, and this is a FixedWindow",
        ),
        (
            "{name: a, requests: 10, per: 1s, queue: 20}",
            "spec.limits[0].queue: only a LeakyBucket has it, and this is a TokenBucket",
        ),
        (
            "{name: a, requests: 10, per: 1s, cost: {header: x-cost, default: 11}}",
            (
                "spec.limits[0].cost.default: a cost of 11 never fits into burst (10, its default), "
                "so nothing without the header would be admitted"
            ),
        ),
        (
            "{name: a, algorithm: SlidingWindow, requests: 10, per: 1s, cost: {fixed: 11}}",
            (
                "spec.limits[0].cost.fixed: a cost of 11 never fits into requests (10), "
                "so nothing would be admitted"
            ),
        ),
        (
            "{name: a, algorithm: SlidingLog, requests: 10001, per: 1s}",
            (
                "spec.limits[0].requests: a SlidingLog keeps an entry for each request, 10000 at most; "
                "a SlidingWindow counts any number, closely"
            ),
        ),
        (
            "{name: a, algorithm: SlidingLog, requests: 5000, per: 1s, by: [{sourceIp: true}]}",
            (
                "spec.limits[0].maxKeys: so many logs, all full, take more than 1 GiB; "
                "lower maxKeys, or take a SlidingWindow"
            ),
        ),
    ],
)
def test_rules_between_fields(limit: str, problem: str) -> None:
    assert found(limit) == [problem]


@pytest.mark.parametrize(
    ("figures", "burst"),
    [
        ("requests: 100, per: 1s", 100),
        ("requests: 10, per: 1m", 1),
        ("requests: 100, per: 30s", 3),
        ("requests: 1, per: 500ms", 2),
        ("requests: 100, per: 1s, burst: 7", 7),
    ],
)
def test_burst_is_the_requests_of_a_second_and_at_least_one(figures: str, burst: int) -> None:
    document = policy(f"limits: [{{name: a, {figures}}}]", kind="RateLimitPolicy")
    [limit] = compile_rules(document, SCHEMA).limits
    assert limit["burst"] == burst


@pytest.mark.parametrize(
    ("algorithm", "own"),
    [
        ("TokenBucket", {"burst"}),
        ("LeakyBucket", {"queue", "maxWait", "evict"}),
        ("FixedWindow", {"aligned"}),
        ("SlidingLog", set[str]()),
        ("SlidingWindow", {"buckets"}),
    ],
)
def test_a_limit_is_sent_with_the_fields_of_its_algorithm_alone(algorithm: str, own: set[str]) -> None:
    spec = f"limits: [{{name: a, algorithm: {algorithm}, requests: 1, per: 1s}}]"
    [limit] = compile_rules(policy(spec, kind="RateLimitPolicy"), SCHEMA).limits
    particular = {"burst", "queue", "maxWait", "evict", "aligned", "buckets"}
    assert particular & set(limit) == own


AT_CALLEE = [
    ("connections", "connections: {concurrent: 1}", "counted where they are accepted"),
    ("resource", "resource: {memoryPercent: {enter: 90}}", "measured where the target runs"),
]


@pytest.mark.parametrize(("kind", "figure", "where"), AT_CALLEE)
def test_what_only_members_can_measure_is_not_left_to_callers(kind: str, figure: str, where: str) -> None:
    text = LIMIT.format(limit=f"{{name: a, {figure}}}") + "  at: Caller\n"
    assert found_in(text) == [f"spec.limits[0].{kind}: {where}, and at is Caller; leave at out"]


@pytest.mark.parametrize("group", ["", "group: breakwater.dev, "])
@pytest.mark.parametrize(("kind", "figure", "where"), AT_CALLEE)
def test_what_has_no_sidecar_is_measured_by_nobody(kind: str, figure: str, where: str, group: str) -> None:
    text = LIMIT.format(limit=f"{{name: a, {figure}}}")
    target = f"targetRefs: [{{{group}kind: ExternalService, name: pay}}]"
    text = re.sub(r"targetRefs: \[.*\]", target, text)
    assert target in text
    assert found_in(text) == [
        (
            f"spec.limits[0].{kind}: {where}; "
            "expected targets that have sidecars, found ExternalService shop/pay"
        )
    ]


@pytest.mark.parametrize("figure", [figure for _, figure, _ in AT_CALLEE])
def test_callers_are_not_told_what_they_cannot_measure(figure: str) -> None:
    both = f"{{name: a, {figure}}}\n  - {{name: b, concurrency: 1}}"
    [document] = documents(LIMIT.format(limit=both))
    told = compile_rules(document, SCHEMA, at_caller=True).limits
    assert [limit["name"] for limit in told] == ["b"]


def test_a_resource_is_well_again_below_what_was_too_much() -> None:
    [document] = documents(LIMIT.format(limit="{name: a, resource: {pressure: {enter: 40.5}}}"))
    (limit,) = compile_rules(document, SCHEMA).limits
    assert limit == {"name": "a", "resource": {"pressure": {"enter": 40.5, "exit": 40.5}}}


def test_callers_count_the_rest_for_what_has_no_sidecar() -> None:
    for figure in ("requests: 1, per: 1s", "concurrency: 1", "bandwidth: {bytesPerSecond: 1Mi}"):
        text = LIMIT.format(limit=f"{{name: a, {figure}}}").replace("kind: Service", "kind: ExternalService")
        assert "ExternalService" in text
        assert not read(text).problems


@pytest.mark.parametrize(
    ("limit", "own"),
    [
        ("concurrency: 1", {"concurrency", "scope", "onMissing"}),
        ("connections: {concurrent: 1}", {"connections", "scope", "onMissing"}),
        ("bandwidth: {bytesPerSecond: 1Mi}", {"bandwidth"}),
    ],
)
def test_a_limit_is_sent_with_the_fields_of_its_kind_alone(limit: str, own: set[str]) -> None:
    [limits] = compile_rules(policy(f"limits: [{{name: a, {limit}}}]", kind="RateLimitPolicy"), SCHEMA).limits
    assert set(limits) - {"name", "maxKeys", "whenKeysFull"} == own


def test_a_cost_that_is_charged_after_the_answer_may_be_anything() -> None:
    assert found("{name: a, requests: 10, per: 1s, cost: {responseHeader: x-cost, default: 11}}") == []


def test_a_cost_may_be_anything_to_a_leaky_bucket() -> None:
    assert found("{name: a, algorithm: LeakyBucket, requests: 1, per: 1s, cost: {fixed: 100}}") == []


def test_rules_have_every_default_and_the_callers() -> None:
    document = policy(
        "from: [{kind: Service, name: web}, {kind: Namespace, name: ops}, "
        "{kind: ServiceAccount, name: robot, namespace: jobs}]\n"
        "limits: [{name: a, requests: 1, per: 1s}]",
        kind="RateLimitPolicy",
    )
    rules = compile_rules(document, SCHEMA)
    assert rules.callers == (
        CallerMatch(namespace="ops"),
        CallerMatch(namespace="shop", service="web"),
        CallerMatch(namespace="jobs", service_account="robot"),
    )
    assert rules.response == {"status": 429, "headers": "Standard", "problem": True}
    assert find(rules.limits[0], "cost.fixed") == 1


@pytest.mark.parametrize(
    ("cost", "complete"),
    [
        ("{}", {"fixed": 1}),
        ("{header: x-cost}", {"default": 1, "header": "x-cost"}),
        ("{responseHeader: x-cost}", {"default": 0, "responseHeader": "x-cost"}),
        ("{responseHeader: x-cost, default: 3}", {"default": 3, "responseHeader": "x-cost"}),
    ],
)
def test_an_answer_that_names_no_cost_has_none_and_a_request_costs_one(
    cost: str, complete: dict[str, object]
) -> None:
    spec = f"limits: [{{name: a, requests: 1, per: 1s, cost: {cost}}}]"
    [limit] = compile_rules(policy(spec, kind="RateLimitPolicy"), SCHEMA).limits
    assert limit["cost"] == complete


def test_a_burst_that_nobody_wrote_moves_with_the_figure() -> None:
    moving = "adaptive: {min: 1, max: 20, target: {p99: 1s}}"
    spec = f"limits: [{{name: a, requests: 10, per: 1s, {moving}}}]"
    [limit] = compile_rules(policy(spec, kind="RateLimitPolicy"), SCHEMA).limits
    assert "burst" not in limit


@pytest.mark.parametrize(("mode", "is_shadow"), [("Shadow", True), ("Enforce", False)])
def test_rules_say_whether_they_are_in_shadow(mode: str, is_shadow: bool) -> None:
    spec = f"mode: {mode}\nlimits: [{{name: a, concurrency: 1}}]"
    assert compile_rules(policy(spec, kind="RateLimitPolicy"), SCHEMA).is_shadow is is_shadow
