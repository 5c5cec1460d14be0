"""Ten thousand policies over five hundred services."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from controlplane.model.resource import Body
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


@dataclass(slots=True)
class Encoded:
    """The codec, and what it was asked to encode."""

    bodies: list[Body] = field(default_factory=list)

    def __call__(self, body: Body) -> bytes:
        self.bodies.append(body)
        return COMPILER.encode(body)


def calls(work: Callable[[], object]) -> int:
    """How many functions some work calls: its cost, the same on every machine."""
    count = 0

    def profile(_frame: object, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_one_change_costs_a_sliver_of_the_whole_set() -> None:
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
    encoded = Encoded()
    compiler = replace(COMPILER, encode=encoded)
    before = build(first, compiler)
    whole = calls(lambda: build(first, compiler))
    assert len(encoded.bodies) == 2 * len(before.resources)

    edited = documents[8]
    spec = {**edited.spec, "bulkhead": {"maxConcurrent": 1}}
    after = replace(first, documents={**first.documents, edited.key: replace(edited, spec=spec)}, revision=2)
    encoded.bodies.clear()
    assert calls(lambda: build(after, compiler, before)) < whole / 500
    assert len(encoded.bodies) == 1  # what callers of the service hold
