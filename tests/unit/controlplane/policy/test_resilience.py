"""Rules between the fields of a ResiliencePolicy."""

import pytest

from controlplane.model.schema import Format
from controlplane.model.value import Value, find
from controlplane.policy.resilience import BLOCKS, behaviours, complete
from tests.support.builders import SCHEMA, policy, read
from tests.unit.controlplane.sources.test_reader import POLICY


def found(block: str) -> list[str]:
    return [
        f"{'warning: ' if each.warning else ''}{each.path}: {each.message}"
        for each in read(POLICY.format(block=block)).problems
    ]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (
            "timeouts: {request: 1s, perTry: 2s}",
            "spec.timeouts.perTry: expected at most timeouts.request (1s), found 2s",
        ),
        (
            "timeouts: {perTry: 16s}",
            (
                "warning: spec.timeouts.perTry: 16s is beyond timeouts.request, "
                "which is 15s unless somebody says otherwise"
            ),
        ),
        (
            "retry: {backoff: {base: 2s, max: 1s}}",
            "spec.retry.backoff.base: expected at most max (1s), found 2s",
        ),
        (
            "breaker: {endpoint: {open: {base: 10m, max: 1m}}}",
            "spec.breaker.endpoint.open.base: expected at most max (1m), found 10m",
        ),
        (
            "breaker: {service: {open: {base: 10m}}}",
            (
                "warning: spec.breaker.service.open.base: 10m is beyond max, "
                f"which is {SCHEMA.blocks['BreakerOpen'].fields['max'].default} "
                "unless somebody says otherwise"
            ),
        ),
        (
            "retry: {backoff: {base: 1s}}",
            (
                "warning: spec.retry.backoff.base: 1s is beyond max, "
                f"which is {SCHEMA.blocks['Backoff'].fields['max'].default} unless somebody says otherwise"
            ),
        ),
        (
            "outlierDetection: {ejection: {base: 1h}}",
            (
                "warning: spec.outlierDetection.ejection.base: 1h is beyond max, "
                f"which is {SCHEMA.blocks['OutlierEjection'].fields['max'].default} "
                "unless somebody says otherwise"
            ),
        ),
        (
            "timeouts: {request: 1s}\n  hedge: {after: 1s}",
            "spec.hedge.after: expected less than timeouts.request (1s), found 1s",
        ),
        (
            "timeouts: {perTry: 1s}\n  hedge: {after: 1s500ms}",
            "warning: spec.hedge.after: never comes: each attempt ends after timeouts.perTry (1s)",
        ),
        (
            "hedge: {after: p96}",
            "spec.hedge.after: expected a match of p50|p90|p95|p99|([0-9]{1,5}(h|m|s|ms)){1,4}, found 'p96'",
        ),
        ("hedge: {max: 1}", "spec.hedge.after: required"),
        ("hedge: {after: p95, max: 2}", "spec.hedge.max: expected at most 1, found 2"),
        (
            "mode: Shadow\n  retry: {}\n  connectionPool: {maxConnections: 1, maxAge: 1h}",
            (
                "warning: spec.connectionPool.maxAge: decides no call by itself, "
                "so that in shadow it tells nothing"
            ),
        ),
        (
            "mode: Shadow\n  loadBalancing: {policy: Random}",
            (
                "warning: spec.loadBalancing.policy: Random takes any endpoint, by load or chance, "
                "so that in shadow it tells nothing"
            ),
        ),
        ("fallback: {}", "spec.fallback: answers nothing; expected one of response, service"),
        (
            "fallback: {when: [Failed], response: {}}",
            "spec.fallback.when[0]: expected one of Refused, Open, Timeout, NoEndpoints, found 'Failed'",
        ),
        (
            "fallback: {response: {}, service: {name: a}}",
            "spec.fallback.service: excludes response; set one of them",
        ),
        (
            "fallback: {response: {status: 204}}",
            "spec.fallback.response.status: expected a status whose answers may have a body, found 204",
        ),
        (
            "fallback: {response: {headers: {x y: a}}}",
            "spec.fallback.response.headers: expected names of fields, found 'x y'",
        ),
        (
            "fallback: {response: {headers: {Transfer-Encoding: chunked}}}",
            "spec.fallback.response.headers: Transfer-Encoding is the sidecar's own to say; leave it out",
        ),
        (
            'fallback: {response: {headers: {x: "a\\r\\nb: c"}}}',
            "spec.fallback.response.headers: expected printable ASCII, at most 1024 of it, as x",
        ),
        ("healthCheck: {interval: 5s}", "spec.healthCheck: expected one of http, grpc, tcp"),
        (
            "healthCheck: {tcp: {}, interval: 1s, timeout: 2s}",
            "spec.healthCheck.timeout: expected at most interval (1s), found 2s",
        ),
        (
            "bulkhead: {lanes: {critical: 60, default: 50}}",
            "spec.bulkhead.lanes: expected at most 100 percent together, found 110",
        ),
        (
            "instanceGroups: {groups: {a: {matchLabels: {p: a}}}, assign: [{group: b}]}",
            "spec.instanceGroups.assign[0].group: expected one of a, found b",
        ),
        (
            (
                "instanceGroups: {groups: {a: {matchLabels: {p: a}}, B: {matchLabels: {p: b}}},"
                " assign: [{group: a}]}"
            ),
            f"spec.instanceGroups.groups.B: expected {Format.NAME.value}, found 'B'",
        ),
        (
            "instanceGroups: {groups: [{matchLabels: {p: a}}], assign: [{group: a}]}",
            "spec.instanceGroups.groups: expected a map of blocks, found a list",
        ),
        (
            "instanceGroups: {groups: {a: {matchLabel: {p: a}, matchLabels: {p: a}}}, assign: [{group: a}]}",
            "spec.instanceGroups.groups.a.matchLabel: unknown field; did you mean matchLabels?",
        ),
        (
            "loadBalancing: {policy: Maglev}",
            "spec.loadBalancing.policy: Maglev needs hashOn beside it",
        ),
        (
            "loadBalancing: {policy: Random, hashOn: {sourceIp: true}}",
            "spec.loadBalancing.hashOn: has no meaning with Random; expected RingHash or Maglev",
        ),
        (
            "loadBalancing: {policy: RingHash, hashOn: {sourceIp: false}}",
            "spec.loadBalancing.hashOn.sourceIp: expected true, found false",
        ),
        (
            "outlierDetection: {ejection: {base: 2h, max: 1h}}",
            "spec.outlierDetection.ejection.base: expected at most max (1h), found 2h",
        ),
        (
            "breaker: {endpoint: {overloadTrips: true}}",
            "spec.breaker.endpoint.overloadTrips: only the service's breaker has it",
        ),
        (
            "breaker: {service: {trip: {slowRate: 50}}}",
            "spec.breaker.service.trip.slowRate: needs slowAfter beside it",
        ),
        (
            "breaker: {service: {trip: {slowAfter: 1s}}}",
            "spec.breaker.service.trip.slowAfter: needs slowRate beside it",
        ),
        (
            "breaker: {service: {window: {duration: 1s}}}",
            "spec.breaker.service.window.duration: has no meaning in a Count window",
        ),
        (
            "breaker: {service: {window: {type: Time, size: 5}}}",
            "spec.breaker.service.window.size: has no meaning in a Time window",
        ),
        (
            "breaker: {service: {window: {size: 10, minimumRequests: 20}}}",
            (
                "spec.breaker.service.window.minimumRequests: "
                "a window of 10 never holds the 20 outcomes that rates need"
            ),
        ),
        (
            "breaker: {service: {trip: {}}}",
            "warning: spec.breaker.service.trip: names nothing, so the breaker never opens",
        ),
        (
            "mode: Enforce",
            f"warning: spec: says nothing; expected one of {', '.join(BLOCKS)}",
        ),
    ],
)
def test_rules_between_fields(block: str, problem: str) -> None:
    assert found(block) == [problem]


def test_tries_that_cannot_fit_into_the_request_are_a_warning() -> None:
    text = POLICY.format(block="timeouts: {request: 800ms, perTry: 300ms}\n  retry: {attempts: 2}")
    [problem] = read(text).problems
    assert problem.warning
    assert problem.message == (
        "3 tries of 300ms take 900ms, more than timeouts.request (800ms); the last ones will not fit"
    )


def test_tries_that_fit_are_no_warning() -> None:
    assert found("timeouts: {request: 900ms, perTry: 300ms}\n  retry: {}") == []


def test_a_preset_becomes_its_figures_and_named_figures_win() -> None:
    tree = behaviours(policy("bulkhead: {preset: ThreadPool, maxQueue: 3}").spec, "shop")
    assert tree["bulkhead"] == {"maxConcurrent": 10, "maxQueue": 3}
    assert behaviours(policy("connectionPool: {preset: Database}").spec, "shop")["connectionPool"] == {
        "maxConnections": 50
    }


@pytest.mark.parametrize(
    ("named", "streak"), [({}, 5), ({"interval": "1s"}, 5), ({"connectFailures": 2}, None)]
)
def test_without_a_named_detector_failures_in_a_row_eject(
    named: dict[str, Value], streak: int | None
) -> None:
    tree = complete({"outlierDetection": named}, SCHEMA.blocks["Resilience"])
    assert find(tree, "outlierDetection.consecutiveFailures") == streak


def test_a_shared_bulkhead_is_shared_within_its_namespace() -> None:
    tree = behaviours(policy("bulkhead: {sharedName: db}").spec, "shop")
    assert find(tree, "bulkhead.sharedName") == "shop/db"


def test_attachment_is_no_behaviour() -> None:
    assert list(behaviours(policy("timeouts: {}\nmode: Enforce").spec, "shop")) == ["timeouts"]


def test_only_the_breaker_of_the_service_has_figures_for_overload() -> None:
    tree = complete({"breaker": {"service": {}, "endpoint": {}}}, SCHEMA.blocks["Resilience"])
    assert find(tree, "breaker.service.overloadTrips") is False
    assert find(tree, "breaker.service.overloadOpen") is not None
    assert find(tree, "breaker.endpoint.overloadTrips") is find(tree, "breaker.endpoint.overloadOpen") is None
    assert find(tree, "breaker.endpoint.resetTimeout") is not None


def test_retries_and_hedges_have_one_budget_and_the_retries_have_the_first_word() -> None:
    merged: dict[str, Value] = {
        "retry": {"budget": {"percent": 10}},
        "hedge": {"after": "p95", "budget": {"percent": 30, "interval": "5s"}},
    }
    tree = complete(merged, SCHEMA.blocks["Resilience"])
    assert find(tree, "retry.budget") == find(tree, "hedge.budget")
    assert find(tree, "hedge.budget.percent") == 10
    assert find(tree, "retry.budget.interval") == "5s"


def test_a_hedge_has_a_budget_without_retries() -> None:
    tree = complete({"hedge": {"after": "p95"}}, SCHEMA.blocks["Resilience"])
    assert find(tree, "hedge.budget.percent") == 20
    assert find(tree, "hedge.max") == 1
    assert "retry" not in tree


@pytest.mark.parametrize("after", ["p50", "p99", "50ms", "1s500ms"])
def test_a_hedge_comes_after_a_time_or_a_percentile(after: str) -> None:
    assert found(f"timeouts: {{request: 2s, perTry: 2s}}\n  hedge: {{after: {after}}}") == []
