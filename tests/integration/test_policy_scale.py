"""Ten thousand policies over five hundred services."""

import time
from collections.abc import Callable
from dataclasses import replace

from controlplane.snapshot.build import build
from tests.support.builders import COMPILER, inputs, read, service

POLICIES = 10_000
SERVICES = 500
RESILIENCE = """\
---
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: p{number}, namespace: ns{namespace}}}
spec:
  targetRefs: [{{kind: Service, name: s{service}}}]
  timeouts: {{request: 800ms, perTry: 200ms}}
  retry: {{attempts: 3, when: ["503"], budget: {{percent: 10}}}}
  breaker: {{service: {{trip: {{errorRate: 40}}}}}}
"""
LIMIT = """\
---
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{name: p{number}, namespace: ns{namespace}}}
spec:
  targetRefs: [{{kind: Service, name: s{service}}}]
  limits: [{{name: a, requests: 10, per: 1s, by: [{{header: x-user}}]}}]
"""


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def test_a_set_is_read_and_built_in_seconds_and_one_change_in_milliseconds() -> None:
    texts = [
        (RESILIENCE, LIMIT)[number % 2].format(
            number=number, namespace=number % SERVICES % 20, service=number % SERVICES
        )
        for number in range(POLICIES)
    ]
    documents = read("".join(texts)).documents
    assert len(documents) == POLICIES
    services = [service(f"ns{number % 20}/s{number}") for number in range(SERVICES)]
    first = inputs(documents, services)
    before = build(first, COMPILER)
    assert cpu_seconds(lambda: build(first, COMPILER)) < 10

    edited = documents[8]
    spec = {**edited.spec, "bulkhead": {"maxConcurrent": 1}}
    after = replace(first, documents={**first.documents, edited.key: replace(edited, spec=spec)}, revision=2)
    fastest = min(cpu_seconds(lambda: build(after, COMPILER, before)) for _ in range(10))
    assert fastest < 0.005
