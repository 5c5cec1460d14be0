"""What every field is that a present block leaves out: the table, beside the schema that states it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controlplane.model.value import Duration, find, parse_duration
from controlplane.policy.defaults import fill
from tests.support.builders import SCHEMA

if TYPE_CHECKING:
    from controlplane.model.value import Tree, Value

TABLE = """
ResiliencePolicy mode Enforce
ResiliencePolicy merge PatchDefaults
ResiliencePolicy timeouts.connect 1s
ResiliencePolicy timeouts.request 15s
ResiliencePolicy timeouts.perTry -
ResiliencePolicy timeouts.idle 5m
ResiliencePolicy timeouts.streamIdle 5m
ResiliencePolicy timeouts.maxStreamDuration -
ResiliencePolicy retry.attempts 2
ResiliencePolicy retry.when ConnectFailure,PerTryTimeout,RefusedStream,Reset,502,503,504,Unavailable
ResiliencePolicy retry.methods GET,HEAD,OPTIONS,PUT,DELETE,TRACE
ResiliencePolicy retry.strategy FullJitter
ResiliencePolicy retry.backoff.base 25ms
ResiliencePolicy retry.backoff.multiplier 2
ResiliencePolicy retry.backoff.max 250ms
ResiliencePolicy retry.backoff.jitter 25ms
ResiliencePolicy retry.replayBytes 65536
ResiliencePolicy retry.honorRetryAfter True
ResiliencePolicy retry.budget.percent 20
ResiliencePolicy retry.budget.interval 10s
ResiliencePolicy retry.budget.minRetryRate.count 10
ResiliencePolicy retry.budget.minRetryRate.interval 1s
ResiliencePolicy hedge.after -
ResiliencePolicy hedge.max 1
ResiliencePolicy hedge.budget.percent 20
ResiliencePolicy breaker.service.window.type Count
ResiliencePolicy breaker.service.window.size 100
ResiliencePolicy breaker.service.window.duration 10s
ResiliencePolicy breaker.service.window.minimumRequests 20
ResiliencePolicy breaker.service.resetTimeout 60s
ResiliencePolicy breaker.service.open.base 30s
ResiliencePolicy breaker.service.open.multiplier 2
ResiliencePolicy breaker.service.open.max 5m
ResiliencePolicy breaker.service.open.jitter 20
ResiliencePolicy breaker.service.halfOpen.successThreshold 3
ResiliencePolicy breaker.service.halfOpen.probes -
ResiliencePolicy breaker.service.halfOpen.maxWait 30s
ResiliencePolicy breaker.service.failureOn -
ResiliencePolicy breaker.service.key Service
ResiliencePolicy breaker.service.overloadTrips False
ResiliencePolicy breaker.service.overloadOpen 5s
ResiliencePolicy outlierDetection.interval 10s
ResiliencePolicy outlierDetection.consecutiveGatewayFailures -
ResiliencePolicy outlierDetection.connectFailures -
ResiliencePolicy outlierDetection.successRate.stdevFactor 1.9
ResiliencePolicy outlierDetection.successRate.minimumEndpoints 5
ResiliencePolicy outlierDetection.successRate.minimumRequests 100
ResiliencePolicy outlierDetection.failurePercentage.threshold 85
ResiliencePolicy outlierDetection.failurePercentage.minimumEndpoints 5
ResiliencePolicy outlierDetection.failurePercentage.minimumRequests 50
ResiliencePolicy outlierDetection.latency.factor 3
ResiliencePolicy outlierDetection.latency.sweeps 3
ResiliencePolicy outlierDetection.latency.minimumSamples 20
ResiliencePolicy outlierDetection.ejection.base 30s
ResiliencePolicy outlierDetection.ejection.max 300s
ResiliencePolicy outlierDetection.maxEjectedPercent 10
ResiliencePolicy outlierDetection.panicThresholdPercent 50
ResiliencePolicy healthCheck.http.path /healthz
ResiliencePolicy healthCheck.http.expect 2xx
ResiliencePolicy healthCheck.interval 10s
ResiliencePolicy healthCheck.timeout 1s
ResiliencePolicy healthCheck.unhealthyAfter 3
ResiliencePolicy healthCheck.healthyAfter 2
ResiliencePolicy healthCheck.probers 3
ResiliencePolicy bulkhead.maxConcurrent 100
ResiliencePolicy bulkhead.queueTimeout -
ResiliencePolicy connectionPool.maxConnections 100
ResiliencePolicy connectionPool.maxRequestsPerConnection -
ResiliencePolicy connectionPool.maxAge -
ResiliencePolicy instanceGroups.overflow WhenEmpty
ResiliencePolicy instanceGroups.overflowBelowPercent 20
ResiliencePolicy loadBalancing.policy PeakEwma
ResiliencePolicy loadBalancing.slowStart 30s
ResiliencePolicy loadBalancing.locality Prefer
ResiliencePolicy admissionControl.successRate 95
ResiliencePolicy admissionControl.window 30s
ResiliencePolicy admissionControl.maxRejectPercent 80
ResiliencePolicy fallback.when Refused,Open,Timeout,NoEndpoints
ResiliencePolicy fallback.response.status 200
RateLimitPolicy mode Enforce
RateLimitPolicy at Callee
RateLimitPolicy response.status 429
RateLimitPolicy response.headers Standard
RateLimitPolicy response.problem True
BackpressurePolicy mode Enforce
BackpressurePolicy merge PatchDefaults
BackpressurePolicy concurrency.adaptive.min 8
BackpressurePolicy concurrency.adaptive.max 512
BackpressurePolicy concurrency.adaptive.tolerance 1.5
BackpressurePolicy concurrency.adaptive.smoothing 0.2
BackpressurePolicy queue.capacity 1000
BackpressurePolicy queue.mode DropNewest
BackpressurePolicy queue.blockFor 1s
BackpressurePolicy queue.maxCapacity 10000
BackpressurePolicy queue.maxBytes 16777216
BackpressurePolicy queue.throttleFrom 70
BackpressurePolicy queue.discipline Fifo
BackpressurePolicy queue.codel.target 5ms
BackpressurePolicy queue.codel.interval 100ms
BackpressurePolicy earlyDetection.shedBackgroundBelow 10s
BackpressurePolicy earlyDetection.shedSheddableBelow 3s
FaultPolicy mode Enforce
FaultPolicy expiresAfter -
Mesh rootNamespace breakwater-system
Mesh unknownDestinations PassThrough
Mesh telemetry.accessLog.mode ErrorsAndSampled
Mesh telemetry.accessLog.samplePercent 1
Mesh telemetry.tracing.samplingPercent 1
SidecarProfile capture.mode Redirect
SidecarProfile resources.requests.cpu 20m
SidecarProfile resources.requests.memory 32Mi
SidecarProfile resources.limits.memory 128Mi
SidecarProfile native Auto
SidecarProfile drain.delay 5s
ExternalService resolution Static
"""
ROWS = [line.split() for line in TABLE.split("\n") if line]


@pytest.mark.parametrize(("kind", "path", "default"), ROWS, ids=[f"{kind}.{path}" for kind, path, _ in ROWS])
def test_a_field_that_is_left_out_is_as_the_table_says(kind: str, path: str, default: str) -> None:
    present: Tree = {}
    for block in reversed(path.split(".")[:-1]):
        present = {block: present}
    found = find(fill(present, SCHEMA.kinds[kind].spec), path)
    assert said(found) == (parse_duration(default) if isinstance(found, Duration) else default)


def said(value: Value | None) -> Duration | str:
    """Return a value as the table says it."""
    match value:
        case None:
            return "-"
        case Duration():
            return value
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def test_the_members_of_lists_have_defaults_too() -> None:
    endpoint: Tree = {"address": "10.0.0.1", "port": 80}
    tree: Tree = {"ports": ({"name": "http", "port": 80},), "endpoints": (endpoint,)}
    filled = fill(tree, SCHEMA.kinds["ExternalService"].spec)
    assert filled["endpoints"] == ({**endpoint, "weight": 1},)
    assert filled["ports"] == ({"name": "http", "port": 80, "protocol": "HTTP"},)
