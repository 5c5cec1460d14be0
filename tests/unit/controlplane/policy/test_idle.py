"""What policies say in vain is told, and what has an effect is not."""

import pytest

from controlplane.model.codes import Code
from controlplane.sources.reader import Parsed
from tests.support.builders import read
from tests.unit.controlplane.sources.test_reader import LIMIT, POLICY

FAULT = """
apiVersion: breakwater.dev/v1alpha1
kind: FaultPolicy
metadata: {{name: drill, namespace: shop}}
spec: {{targetRefs: [{{kind: Service, name: cart}}], expiresAfter: 1h, {spec}}}
"""
MESH = """
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {{name: default}}
spec: {{telemetry: {{accessLog: {{{log}}}}}}}
"""
GROUPS = "groups: {a: {matchLabels: {pool: a}}, b: {matchLabels: {pool: b}}}"
LEAKY = "name: a, requests: 1, per: 10s, algorithm: LeakyBucket"


def idle(parsed: Parsed) -> list[str]:
    """Paths of what has no effect; there are no errors beside."""
    assert parsed.is_valid, list(map(str, parsed.problems))
    return [problem.path for problem in parsed.problems if problem.code is Code.IDLE]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ("timeouts: {perTry: 500ms, connect: 1s}", "timeouts.connect"),
        ("timeouts: {streamIdle: 1h, maxStreamDuration: 1m}", "timeouts.streamIdle"),
        ("retry: {when: []}", "retry.when"),
        ("retry: {strategy: Immediate, backoff: {base: 1ms}}", "retry.backoff.base"),
        ("retry: {strategy: Fixed, backoff: {max: 1s}}", "retry.backoff.max"),
        ("retry: {backoff: {jitter: 1ms}}", "retry.backoff.jitter"),
        ("retry: {budget: {percent: 0, minRetryRate: {count: 0}}}", "retry.budget"),
        ("hedge: {after: p95, budget: {percent: 0, minRetryRate: {count: 0}}}", "hedge.budget"),
        ("breaker: {}", "breaker"),
        ("breaker: {service: {overloadOpen: 1s}}", "breaker.service.overloadOpen"),
        ("breaker: {endpoint: {window: {minimumRequests: 101}}}", "breaker.endpoint.window.minimumRequests"),
        ("breaker: {service: {window: {size: 5}, trip: {consecutiveFailures: 3}}}", "breaker.service.window"),
        (
            "timeouts: {}\n  breaker: {service: {trip: {slowRate: 50, slowAfter: 15s}}}",
            "breaker.service.trip.slowAfter",
        ),
        ("outlierDetection: {maxEjectedPercent: 0}", "outlierDetection.maxEjectedPercent"),
        ("outlierDetection: {panicThresholdPercent: 100}", "outlierDetection.panicThresholdPercent"),
        (
            f"instanceGroups: {{{GROUPS}, assign: [{{group: a}}], overflowBelowPercent: 30}}",
            "instanceGroups.overflowBelowPercent",
        ),
        (f"instanceGroups: {{{GROUPS}, assign: [{{group: a}}, {{group: b}}]}}", "instanceGroups.assign[1]"),
        ("bulkhead: {maxQueue: 0, queueTimeout: 1s}", "bulkhead.queueTimeout"),
        ("admissionControl: {maxRejectPercent: 0}", "admissionControl.maxRejectPercent"),
        ("healthCheck: {http: {expect: []}}", "healthCheck.http.expect"),
        (
            "from: [{kind: Service, name: a}, {kind: Service, name: a, namespace: shop}]\n  timeouts: {}",
            "from[1]",
        ),
        ("fallback: {service: {name: cart}}", "fallback.service.name"),
    ],
)
def test_what_resilience_says_in_vain_is_told(block: str, path: str) -> None:
    assert idle(read(POLICY.format(block=block))) == [f"spec.{path}"]


@pytest.mark.parametrize(
    "block",
    [
        "timeouts: {perTry: 1s, connect: 1s}",
        "retry: {attempts: 0}",
        "retry: {strategy: ExponentialJitter, backoff: {base: 1ms, multiplier: 3, max: 2ms, jitter: 1ms}}",
        "retry: {budget: {percent: 0}}",
        "breaker: {service: {overloadTrips: true, overloadOpen: 1s}}",
        "breaker: {service: {window: {size: 10}}}",
        "breaker: {service: {window: {type: Time, minimumRequests: 200}}}",
        "breaker: {service: {trip: {slowRate: 50, slowAfter: 20s}}}",
        f"instanceGroups: {{{GROUPS}, assign: [{{group: a, criticality: critical}}, {{group: b}}]}}",
        "bulkhead: {maxQueue: 0}",
        "fallback: {service: {name: other}}",
    ],
)
def test_what_has_an_effect_is_no_problem(block: str) -> None:
    assert idle(read(POLICY.format(block=block))) == []


@pytest.mark.parametrize(
    ("limit", "path"),
    [
        ("name: a, requests: 9, per: 1s, onMissing: Skip", "onMissing"),
        ("name: a, concurrency: 9, by: [], maxKeys: 5", "maxKeys"),
        ("name: a, bandwidth: {bytesPerSecond: 1Mi}, whenKeysFull: Allow", "whenKeysFull"),
        ("name: a, requests: 9, per: 1s, by: [{header: x}, {header: X}]", "by[1]"),
        ("name: a, requests: 9, per: 1s, cost: {default: 5}", "cost.default"),
        ("name: a, concurrency: 9, adaptive: {min: 9, max: 9, target: {p99: 1s}}", "adaptive"),
        (f"{LEAKY}, evict: Oldest", "evict"),
        (f"{LEAKY}, queue: 2", "queue"),
        ("name: a, concurrency: 9, match: [{path: {prefix: '/a?b'}}]", "match[0].path.prefix"),
    ],
)
def test_what_a_limit_says_in_vain_is_told(limit: str, path: str) -> None:
    assert idle(read(LIMIT.format(limit=f"{{{limit}}}"))) == [f"spec.limits[0].{path}"]


@pytest.mark.parametrize(
    "limit",
    [
        "name: a, bandwidth: {bytesPerSecond: 1Mi, per: Client}, maxKeys: 5",
        "name: a, requests: 9, per: 1s, by: [{header: x}, {query: X}], onMissing: Skip, maxKeys: 5",
        f"{LEAKY}, queue: 2, maxWait: 10s, evict: Oldest",
        f"{LEAKY}, queue: 1",
    ],
)
def test_what_has_an_effect_in_a_limit_is_no_problem(limit: str) -> None:
    assert idle(read(LIMIT.format(limit=f"{{{limit}}}"))) == []


@pytest.mark.parametrize("exemption", ["path: {prefix: /}", "sourceIp: 0.0.0.0/0"])
def test_an_exemption_of_everybody_is_told(exemption: str) -> None:
    text = LIMIT.format(limit="{name: a, concurrency: 1}") + f"  exempt: [{{{exemption}}}]\n"
    assert idle(read(text)) == ["spec.exempt[0]"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("percent: 0, delay: 1s", "percent"),
        ("percent: 5, abort: {status: 503}, bandwidth: {bytesPerSecond: 1Ki}", "bandwidth"),
    ],
)
def test_a_rehearsal_of_nothing_is_told(spec: str, path: str) -> None:
    assert idle(read(FAULT.format(spec=spec))) == [f"spec.{path}"]


def test_a_share_of_a_log_that_is_whole_or_none_is_told() -> None:
    assert idle(read(MESH.format(log="mode: All, samplePercent: 5"))) == [
        "spec.telemetry.accessLog.samplePercent"
    ]
    assert idle(read(MESH.format(log="samplePercent: 5"))) == []
