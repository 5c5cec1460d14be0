"""For each code something that provokes it, and what is found there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.analysis.analyze import analyze
from controlplane.analysis.world import World
from controlplane.cli.analyze import skew
from controlplane.injector.template import USER
from controlplane.injector.verdict import obstacles
from controlplane.model.codes import Code
from controlplane.model.document import Document, Problem
from controlplane.model.sidecar import Hello
from controlplane.policy.sidecar_profile import profile_of
from controlplane.sources.desired import Desired, preview
from registry.catalog import Service
from tests.support.builders import SCHEMA, documents, mesh, policy, read, service, service_name, snapshot
from tests.support.injection import inject
from tests.unit.controlplane.sources.test_reader import LIMIT, POLICY

Found = Iterable[Problem]


def limit(fields: str) -> Callable[[], Found]:
    """What is found in a policy with one limit."""
    return lambda: read(LIMIT.format(limit=f"{{name: a, {fields}}}")).problems


def block(text: str, target: str = "Service") -> Callable[[], Found]:
    """What is found in a policy that says so."""
    whole = POLICY.format(block=text).replace("kind: Service", f"kind: {target}")
    return lambda: read(whole).problems


def world(*found: Document, services: Iterable[Service] = (), **known: Any) -> Callable[[], Found]:
    """What is found in documents and services together."""
    return lambda: analyze(World(snapshot=snapshot(found, services), **known))


def uncollected(*found: Document) -> Callable[[], Found]:
    """What is found in documents where no collector of spans is known."""
    built = snapshot(found)
    without = replace(built, inputs=replace(built.inputs, keeps_traces=False))
    return lambda: analyze(World(snapshot=without))


def fits(*found: Document) -> Callable[[], Found]:
    """What keeps documents out."""
    units = {str(document.key): replace(read(""), documents=(document,)) for document in found}
    return lambda: preview(Desired(), "file", units)


def pod(**container: Any) -> Callable[[], Found]:
    """What stands in the way of a sidecar."""
    spec = {"containers": [{"name": "cart", "image": "cart:1", **container}]}
    return lambda: inject({"metadata": {"name": "cart"}, "spec": spec}).problems


def cautioned(*, grace: int = 30, **container: Any) -> Callable[[], Found]:
    """What is worth a word of a pod that gets a sidecar."""
    containers = [{"name": "cart", "image": "cart:1", **container}]
    spec = {"containers": containers, "terminationGracePeriodSeconds": grace}
    return lambda: inject({"metadata": {"name": "cart"}, "spec": spec}).warnings


def redirected(**container: Any) -> Callable[[], Found]:
    """What stands in the way of a sidecar that a pod's traffic is led to."""
    profile = profile_of(PROFILE, SCHEMA.kinds[PROFILE.key.kind].spec)
    return lambda: obstacles({"spec": {"containers": [container]}}, profile)


def young(text: str, **place: str) -> Document:
    """A policy that came last."""
    return replace(policy(text, **place), created_at=datetime(2026, 1, 1, tzinfo=UTC))


CART: Final = service()
TRIES: Final = "timeouts: {request: 1s, perTry: 600ms}\nretry: {attempts: 1}"
REQUEST: Final = "timeouts: {request: 1s}"
OF_MESH: Final = "{kind: Mesh, name: default}"
[PROFILE] = documents(
    """
    apiVersion: breakwater.dev/v1alpha1
    kind: SidecarProfile
    metadata: {name: default, namespace: shop}
    spec: {capture: {mode: Redirect, excludeInboundPorts: [9001]}}
    """
)
[ROUTE] = documents(
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: away, namespace: shop}
    spec:
      parentRefs: [{group: "", kind: Service, name: cart}]
      rules: [{backendRefs: [{name: ledger, namespace: pay, port: 80}]}]
    """
)
LIMITS: Final = "limits: [{name: a, requests: 5, per: 1s}]"
OLD: Final = Hello(instance="cart-1", services=(service_name("shop/cart"),), version="0.3.0")

EXAMPLES: Final[Mapping[Code, Callable[[], Found]]] = {
    Code.UNREADABLE: block("timeouts: {request: soon}"),
    Code.MISFIT: block("loadBalancing: {policy: RingHash}"),
    Code.IDLE: block("breaker: {service: {trip: {}}}"),
    Code.TARGET_MISSING: world(policy(REQUEST, target="{kind: Service, name: nobody}"), services=[CART]),
    Code.OUT_OF_REACH: fits(policy(REQUEST, target=OF_MESH)),
    Code.BAD_TARGET: lambda: (
        read(POLICY.format(block=REQUEST).replace("kind: Service", "kind: Mesh")).problems
    ),
    Code.CALLER_MISSING: world(policy("from: [{kind: Service, name: nobody}]\n" + REQUEST), services=[CART]),
    Code.UNENFORCED: world(policy(REQUEST), services=[service(has_sidecar=False)]),
    Code.BACKEND_MISSING: world(policy("fallback: {when: [Open], service: {name: nobody}}"), services=[CART]),
    Code.REFERENCE_REFUSED: world(ROUTE, services=[CART]),
    Code.PER_TRY_TOO_LONG: block("timeouts: {request: 1s, perTry: 2s}"),
    Code.BACKWARDS: block("retry: {backoff: {base: 2s, max: 1s}}"),
    Code.HEDGE_TOO_LATE: block("timeouts: {request: 1s}\n  hedge: {after: 1s}"),
    Code.WAIT_TOO_LONG: block("timeouts: {request: 1s}\n  bulkhead: {queueTimeout: 2s}"),
    Code.HEDGE_NEVER: block("timeouts: {request: 3s, perTry: 1s}\n  hedge: {after: 2s}"),
    Code.CAPPED: block("retry: {backoff: {base: 1s}}"),
    Code.RETRIES_TOO_LONG: block(TRIES.replace("\n", "\n  ")),
    Code.SUBJECT_UNKNOWN: limit("requests: 1, per: 1s, by: [{}]"),
    Code.COST_TOO_HIGH: limit("requests: 1, per: 1s, cost: {fixed: 2}"),
    Code.KEYS_UNBOUNDED: limit("requests: 1, per: 1s, by: [{path: true}]"),
    Code.BURST_OF_ONE: limit("requests: 60, per: 1m"),
    Code.LOG_TOO_LONG: limit("requests: 10001, per: 1s, algorithm: SlidingLog"),
    Code.LOGS_TOO_LARGE: limit("requests: 10000, per: 1s, algorithm: SlidingLog, by: [{sourceIp: true}]"),
    Code.OUT_OF_BOUNDS: limit("resource: {cpuPercent: {enter: 50, exit: 60}}"),
    Code.NOT_FOR_CALLERS: lambda: (
        read(LIMIT.format(limit="{name: a, resource: {cpuPercent: {enter: 50}}}") + "  at: Caller\n").problems
    ),
    Code.BAD_LIMIT: limit("concurrency: 1, per: 1s"),
    Code.FLEET_TOTAL: world(policy(LIMITS, kind="RateLimitPolicy"), services=[service(instances=3)]),
    Code.SAME_LEVEL: world(
        policy(REQUEST), young("timeouts: {request: 2s}", name="younger"), services=[CART]
    ),
    Code.OVERRIDDEN: world(
        policy(
            REQUEST + "\nmerge: PatchOverrides", name="root", namespace="breakwater-system", target=OF_MESH
        ),
        policy("timeouts: {request: 2s}"),
        services=[CART],
    ),
    Code.DEFINED_TWICE: lambda: (
        read(POLICY.format(block=REQUEST) + "---\n" + POLICY.format(block=REQUEST)).problems
    ),
    Code.BULKHEADS_DIFFER: world(
        policy("bulkhead: {sharedName: all, maxConcurrent: 1}"),
        young("bulkhead: {sharedName: all, maxConcurrent: 2}", name="younger"),
        services=[CART],
    ),
    Code.NOT_INJECTABLE: lambda: inject({"metadata": {"name": "cart"}, "spec": {}}).problems,
    Code.USER_CLASH: redirected(securityContext={"runAsUser": USER}),
    Code.PORT_CLASH: pod(ports=[{"containerPort": 15006}]),
    Code.PORT_EXCLUDED: world(PROFILE, policy(LIMITS, kind="RateLimitPolicy"), services=[CART]),
    Code.CAPTURE_UNDOABLE: cautioned(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
    Code.GRACE_TOO_SHORT: cautioned(grace=29),
    Code.SIDECAR_VERSION: world(mesh("{}"), sidecars=(OLD,), version="0.4.0"),
    Code.SPANS_LOST: uncollected(mesh("telemetry: {tracing: {}}")),
    Code.COMMAND_VERSION: lambda: skew("0.3.0", "0.4.0"),
}
