"""A snapshot built step by step is the one built at once, and nothing a step left alone is built anew."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.document import Document
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.inputs import Inputs
from registry.catalog import Service
from tests.support.builders import COMPILER, documents, inputs, mesh, policy, service

LIMITS = "limits: [{name: a, requests: 1, per: 1s}]"
ROOT = "breakwater-system"
EXTERNAL = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{host}], ports: [{{name: http, port: 80}}], endpoints: [{{address: 10.0.0.1, port: {port}}}]}}
"""

# At most one of each row is in force at a time: a row is an object, its members what edits make of it.
OBJECTS: tuple[tuple[Document, ...], ...] = (
    (policy("timeouts: {request: 1s}"), policy("timeouts: {request: 2s}\nmode: Disabled")),
    (
        policy("retry: {}", name="all", target="{kind: Namespace, name: shop}"),
        policy("retry: {attempts: 1}\nmerge: AtomicOverrides", name="all"),
    ),
    (policy("timeouts: {connect: 2s}", name="all", namespace=ROOT, target="{kind: Mesh, name: default}"),),
    (
        policy("breaker: {service: {}}", name="own", namespace="ops", target="{kind: Namespace, name: shop}"),
        policy("breaker: {endpoint: {}}\nfrom: [{kind: Service, name: robot}]", name="own", namespace="ops"),
    ),
    (
        policy("bulkhead: {sharedName: db, maxConcurrent: 5}", name="share-a"),
        policy("bulkhead: {sharedName: db, maxConcurrent: 6}", name="share-a"),
    ),
    (policy("bulkhead: {sharedName: db}", name="share-b", target="{kind: Service, name: web}"),),
    (
        policy(LIMITS, kind="RateLimitPolicy", name="limits"),
        policy(LIMITS + "\nat: Caller", kind="RateLimitPolicy", name="limits"),
    ),
    (policy(LIMITS, kind="RateLimitPolicy", name="cap", target="{kind: Namespace, name: shop}"),),
    documents(EXTERNAL.format(name="bank", host="bank.example", port=1))
    + documents(EXTERNAL.format(name="bank", host="cart.shop", port=2)),
    documents(EXTERNAL.format(name="cart", host="bank.example", port=3)),
    (
        mesh("defaults: {resilience: {timeouts: {idle: 1m}}}"),
        mesh("rootNamespace: ops"),
    ),
)
SERVICES: tuple[tuple[Service, ...], ...] = (
    (service("shop/cart"), service("shop/cart", instances=2), service("shop/cart", has_sidecar=False)),
    (service("shop/web"),),
    (service("ops/robot"),),
)


@dataclass(frozen=True)
class Step:
    """What is there: for each row the member that is, or `None`."""

    objects: tuple[int | None, ...]
    services: tuple[int | None, ...]

    def inputs(self, revision: int) -> Inputs:
        found = [row[index] for row, index in zip(OBJECTS, self.objects, strict=True) if index is not None]
        known = [row[index] for row, index in zip(SERVICES, self.services, strict=True) if index is not None]
        return inputs(found, known, revision=revision)


def choice(rows: tuple[tuple[object, ...], ...]) -> st.SearchStrategy[tuple[int | None, ...]]:
    return st.tuples(*(st.none() | st.integers(0, len(row) - 1) for row in rows))


STEPS = st.lists(st.builds(Step, choice(OBJECTS), choice(SERVICES)), min_size=1, max_size=5)


@given(STEPS)
def test_step_by_step_is_as_all_at_once(steps: list[Step]) -> None:
    built: Snapshot | None = None
    for revision, step in enumerate(steps, 1):
        built = build(step.inputs(revision), COMPILER, built)
        fresh = build(step.inputs(revision), COMPILER)
        assert built.resources == fresh.resources
        assert built.attachments == fresh.attachments


@given(st.builds(Step, choice(OBJECTS), choice(SERVICES)))
def test_the_same_again_keeps_every_resource(step: Step) -> None:
    before = build(step.inputs(1), COMPILER)
    after = build(step.inputs(2), COMPILER, before)
    assert all(after.resources[name] is resource for name, resource in before.resources.items())
