"""BackpressurePolicy: what is wrong between its fields."""

from collections.abc import Mapping

import pytest

from controlplane.model.value import find
from controlplane.policy.backpressure import complete
from tests.support.builders import SCHEMA, read

POLICY = """
apiVersion: breakwater.dev/v1alpha1
kind: BackpressurePolicy
metadata: {{name: cart, namespace: shop}}
spec:
  targetRefs: [{{kind: Service, name: cart}}]
  {spec}
"""
CLASS = "{criticality: critical, match: [{path: {prefix: /checkout}}]}"


def found(spec: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in read(POLICY.format(spec=spec)).problems]


@pytest.mark.parametrize(
    "spec",
    [
        "concurrency: {limit: 100}",
        "concurrency: {adaptive: {}}",
        "queue: {mode: Block, blockFor: 2s}",
        "queue: {mode: Buffer, capacity: 10, maxCapacity: 10, maxBytes: 1Mi}",
        "queue: {mode: Throttle, throttleFrom: 50}",
        "queue: {discipline: CodelLifo, codel: {target: 5ms, interval: 5ms}}",
        f"classes: [{CLASS}]",
        "fairness: {by: [{header: x-tenant}]}",
        "earlyDetection: {shedBackgroundBelow: 5s, shedSheddableBelow: 5s}",
    ],
)
def test_what_is_documented_is_taken(spec: str) -> None:
    assert found(spec) == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("concurrency: {}", "spec.concurrency: names nothing; set limit or adaptive"),
        (
            "concurrency: {limit: 1, adaptive: {}}",
            "spec.concurrency.adaptive: excludes limit; set one of them",
        ),
        (
            "concurrency: {adaptive: {min: 9, max: 8}}",
            "spec.concurrency.adaptive.min: expected at most max (8), found 9",
        ),
        (
            "queue: {mode: DropNewest, blockFor: 1s}",
            "spec.queue.blockFor: has no meaning with mode DropNewest, only with Block",
        ),
        ("queue: {discipline: Fifo, codel: {}}", "spec.queue.codel: has no meaning with discipline Fifo"),
        (
            "queue: {mode: Buffer, capacity: 20, maxCapacity: 10}",
            "spec.queue.capacity: expected at most maxCapacity (10), where growing ends, found 20",
        ),
        (
            "queue: {mode: Buffer, capacity: 20000}",
            (
                "spec.queue.capacity: is above maxCapacity, "
                "which is 10000 unless somebody says otherwise, and where growing ends"
            ),
        ),
        (
            "queue: {mode: Buffer, maxCapacity: 999}",
            (
                "spec.queue.maxCapacity: is below capacity, "
                "which is 1000 unless somebody says otherwise, so that nothing grows"
            ),
        ),
        (
            "queue: {throttleFrom: 70}",
            (
                "spec.queue.throttleFrom: has no meaning with mode DropNewest, "
                "which it is unless somebody says otherwise, only with Throttle"
            ),
        ),
        (
            "queue: {codel: {}}",
            (
                "spec.queue.codel: has no meaning with discipline Fifo, "
                "which it is unless somebody says otherwise"
            ),
        ),
        (
            "queue: {mode: Throttle, throttleFrom: 100}",
            "spec.queue.throttleFrom: a queue that is full refuses by itself; expected less than 100",
        ),
        (
            "concurrency: {adaptive: {min: 513}}",
            (
                "spec.concurrency.adaptive.min: is above max, "
                "which is 512 unless somebody says otherwise, so that the limit never moves"
            ),
        ),
        (
            "concurrency: {adaptive: {max: 7}}",
            (
                "spec.concurrency.adaptive.max: is below min, "
                "which is 8 unless somebody says otherwise, so that the limit never moves"
            ),
        ),
        (
            "queue: {discipline: Codel, codel: {target: 2s, interval: 1s}}",
            "spec.queue.codel.target: expected at most interval (1s), found 2s",
        ),
        ("fairness: {by: [{}]}", "spec.fairness.by[0]: names nothing; set one of its fields"),
        (
            "classes: [{criticality: critical, match: [{headers: [{name: x}]}]}]",
            "spec.classes[0].match[0].headers[0]: expected value or present",
        ),
        (
            "earlyDetection: {shedBackgroundBelow: 1s, shedSheddableBelow: 2s}",
            ("spec.earlyDetection.shedSheddableBelow: sheds sheddable requests before background ones (1s)"),
        ),
        (
            "mode: Enforce",
            "spec: says nothing; expected one of concurrency, queue, classes, fairness, earlyDetection",
        ),
    ],
)
def test_rules_between_fields(spec: str, problem: str) -> None:
    assert found(spec) == [problem]


@pytest.mark.parametrize(
    ("merged", "bounds"),
    [
        ({}, (8, 512)),
        ({"min": 20, "max": 10}, (10, 10)),
        ({"max": 4}, (4, 4)),
        ({"min": 600}, (600, 600)),
    ],
)
def test_bounds_that_cross_become_one(merged: Mapping[str, int], bounds: tuple[int, int]) -> None:
    tree = complete({"concurrency": {"adaptive": merged}}, SCHEMA.blocks["Backpressure"])
    found = (find(tree, f"concurrency.adaptive.{name}") for name in ("min", "max"))
    assert tuple(found) == bounds


def test_callers_cannot_be_told_apart_yet() -> None:
    problems = found("from: [{kind: Namespace, name: web}]\n  concurrency: {limit: 1}")
    assert [problem.split(":")[0] for problem in problems] == ["spec.from"]
