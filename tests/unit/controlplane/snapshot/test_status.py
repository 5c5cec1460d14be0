"""Conditions of policies."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controlplane.model.document import Document
from controlplane.model.namespaces import Namespaces
from controlplane.snapshot.build import build
from controlplane.snapshot.status import conditions
from registry.catalog import Service
from tests.support.builders import COMPILER, documents, inputs, mesh, policy, service, snapshot
from tests.unit.controlplane.snapshot.test_build import EXTERNAL

LIMITS = "limits: [{name: a, requests: 1, per: 1s}]"


def status(
    document: Document, others: Iterable[Document] = (), services: Iterable[Service] | None = None
) -> list[tuple[str, bool, str, str]]:
    found = [service()] if services is None else services
    built = snapshot([*others, document], found)
    return [(each.type, each.status, each.reason, each.message) for each in conditions(built, document)]


def reasons(
    document: Document, others: Iterable[Document] = (), services: Iterable[Service] | None = None
) -> list[str]:
    return [reason for _, _, reason, _ in status(document, others, services)]


def test_a_policy_in_force_is_accepted_and_programmed() -> None:
    assert status(policy("timeouts: {request: 1s}")) == [
        ("Accepted", True, "Accepted", ""),
        ("Programmed", True, "Programmed", ""),
    ]
    assert reasons(policy(LIMITS, kind="RateLimitPolicy")) == ["Accepted", "Programmed"]
    assert reasons(mesh("{}")) == ["Accepted", "Programmed"]


def test_a_policy_in_shadow_is_programmed_by_what_it_says_there() -> None:
    shadow = policy("timeouts: {request: 1s}\nmode: Shadow", name="shadow")
    assert reasons(shadow) == ["Accepted", "Programmed"]
    older = policy("timeouts: {request: 3s}", name="a")
    assert reasons(shadow, [older]) == ["Accepted", "Overridden"]


def test_a_rehearsal_says_until_when_it_acts() -> None:
    drill = policy("percent: 5\ndelay: 1s\nexpiresAfter: 1h", kind="FaultPolicy")
    drill = replace(drill, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert status(drill)[1] == ("Programmed", True, "Programmed", "until 2026-01-01T01:00:00Z")


def rehearsal(
    name: str, spec: str, *, target: str = "{kind: Service, name: cart}", hours: int = 1
) -> Document:
    spec = f"percent: 5\nexpiresAfter: {hours}h\n{spec}"
    document = policy(spec, kind="FaultPolicy", name=name, target=target)
    return replace(document, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_rehearsal_whose_whole_place_others_take_is_overridden() -> None:
    own = rehearsal("own", "delay: 1s\nabort: {status: 503}")
    everybody = "{kind: Namespace, name: shop}"
    delays = rehearsal("delays", "delay: 2s\nmerge: PatchOverrides", target=everybody)
    takes = rehearsal("takes", "delay: 2s\nmerge: AtomicOverrides", target=everybody)
    end = "until 2026-01-01T01:00:00Z"
    assert status(own, [delays])[1] == (
        "Programmed",
        True,
        "PartiallyProgrammed",
        f"delay overridden by FaultPolicy shop/delays on shop/cart; {end}",
    )
    lost = [f"{effect} overridden by FaultPolicy shop/takes on shop/cart" for effect in ("abort", "delay")]
    assert status(own, [takes])[1] == ("Programmed", False, "Overridden", "; ".join([*lost, end]))
    assert reasons(delays, [own]) == ["Accepted", "Programmed"]
    default = rehearsal("default", "delay: 1s", target=everybody)
    assert reasons(default, [own]) == ["Accepted", "Overridden"]
    assert reasons(default, [own], [service(), service("shop/next")]) == ["Accepted", "PartiallyProgrammed"]


def test_a_rehearsal_that_others_do_not_always_meet_keeps_its_place() -> None:
    own = rehearsal("own", "delay: 1s\nmatch: [{methods: [GET]}]", hours=2)
    override = "delay: 2s\nmerge: AtomicOverrides"

    def becomes(other: Document) -> list[str]:
        return reasons(own, [replace(other, created_at=datetime(2025, 12, 31, 23, 30, tzinfo=UTC))])

    assert becomes(rehearsal("a", f"{override}\nmatch: [{{methods: [GET]}}]", hours=3))[1] == "Overridden"
    assert becomes(rehearsal("a", f"{override}\nmatch: [{{methods: [PUT]}}]", hours=3))[1] == "Programmed"
    assert becomes(rehearsal("a", override, hours=2))[1] == "Programmed"
    assert becomes(rehearsal("a", f"{override}\nmode: Shadow", hours=3))[1] == "Programmed"
    web = "from: [{kind: Service, name: web, namespace: shop}]"
    assert becomes(rehearsal("a", f"{override}\n{web}", hours=3))[1] == "Programmed"


def test_a_namespace_is_there_where_no_cluster_denies_it_or_something_lies_in_it() -> None:
    document = policy("timeouts: {}", target="{kind: Namespace, name: shop}")

    def accepted(namespaces: Namespaces | None, *services: Service) -> str:
        built = build(replace(inputs([document], services), namespaces=namespaces), COMPILER)
        return conditions(built, document)[0].reason

    assert accepted(None) == accepted({"shop": frozenset()}) == accepted({}, service()) == "Accepted"
    assert accepted({"bank": frozenset()}) == "TargetNotFound"


def test_a_target_that_is_not_there_is_named() -> None:
    missing = policy("timeouts: {}", target="{kind: Service, name: nobody}")
    assert status(missing) == [
        ("Accepted", False, "TargetNotFound", "Service shop/nobody is not there"),
        ("Programmed", False, "TargetNotFound", "Service shop/nobody is not there"),
    ]


def test_one_missing_target_of_two_is_mentioned_only() -> None:
    both = policy("timeouts: {}", target="{kind: Service, name: cart}, {kind: Service, name: nobody}")
    accepted, _ = status(both)
    assert accepted == ("Accepted", True, "Accepted", "Service shop/nobody is not there")


def test_a_target_out_of_reach_is_not_permitted() -> None:
    assert reasons(policy("timeouts: {}", target="{kind: Mesh, name: default}")) == [
        "RefNotPermitted",
        "RefNotPermitted",
    ]


def test_what_a_grant_permits_is_as_a_policy_of_the_target_and_ends_with_the_grant() -> None:
    crossing = policy(
        LIMITS, kind="RateLimitPolicy", namespace="web", target="{kind: Service, name: cart, namespace: shop}"
    )
    [grant] = documents(
        """\
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: limits, namespace: shop}
        spec:
          from: [{group: breakwater.dev, kind: RateLimitPolicy, namespace: web}]
          to: [{group: "", kind: Service, name: cart}]
        """
    )
    assert reasons(crossing) == ["RefNotPermitted", "RefNotPermitted"]
    assert reasons(crossing, [grant]) == ["Accepted", "Programmed"]
    assert reasons(grant) == ["Accepted", "Programmed"]
    granted = snapshot([crossing, grant], [service()])
    lost = replace(granted.inputs, documents={crossing.key: crossing})
    assert build(lost, COMPILER, granted).resources == snapshot([crossing], [service()]).resources
    assert build(granted.inputs, COMPILER, build(lost, COMPILER)).resources == granted.resources
    assert granted.resources != snapshot([crossing], [service()]).resources


def test_a_disabled_policy_is_accepted_and_does_nothing() -> None:
    assert reasons(policy("timeouts: {}\nmode: Disabled")) == ["Accepted", "Disabled"]


def test_a_policy_that_nobody_enforces_says_so() -> None:
    assert reasons(policy("timeouts: {}"), services=[service(has_sidecar=False)]) == [
        "Accepted",
        "NoEnforcer",
    ]
    namespace = policy("timeouts: {}", name="all", target="{kind: Namespace, name: shop}")
    assert reasons(namespace, services=[]) == ["Accepted", "NoEnforcer"]
    consumer = policy("timeouts: {}", namespace="web", target="{kind: Service, name: cart, namespace: shop}")
    assert reasons(consumer) == ["Accepted", "NoEnforcer"]
    assert reasons(consumer, services=[service(), service("web/front")]) == ["Accepted", "Programmed"]


def test_limits_for_callers_whom_nobody_verifies_say_so() -> None:
    some = f"{LIMITS}\nfrom: [{{kind: Service, name: web, namespace: shop}}]"
    at_callee = policy(some, kind="RateLimitPolicy")
    accepted, programmed = status(at_callee)
    assert (accepted[2], programmed[1:3]) == ("Accepted", (False, "NoEnforcer"))
    assert programmed[3] == (
        "sidecars of a target verify no caller in this release, so there from limits nobody; "
        "leave it out, or have callers limit themselves by at: Caller"
    )
    at_caller = policy(f"{some}\nat: Caller", kind="RateLimitPolicy")
    callers = [service(), service("shop/web")]
    assert reasons(at_caller, services=callers) == ["Accepted", "Programmed"]
    assert reasons(at_callee, services=[service(has_sidecar=False), callers[1]]) == ["Accepted", "Programmed"]


def test_what_others_override_is_named() -> None:
    own = policy("timeouts: {request: 1s, connect: 1s}")
    caps = policy(
        "timeouts: {request: 2s}\nmerge: PatchOverrides", name="caps", target="{kind: Namespace, name: shop}"
    )
    assert status(own, [caps])[1] == (
        "Programmed",
        True,
        "PartiallyProgrammed",
        "timeouts.request overridden by ResiliencePolicy shop/caps on shop/cart",
    )


def test_a_policy_of_which_nothing_is_left_is_overridden() -> None:
    own = policy("timeouts: {request: 1s}")
    caps = policy("timeouts: {}\nmerge: PatchOverrides", name="caps", target="{kind: Namespace, name: shop}")
    atomic = policy(
        "timeouts: {request: 2s}\nmerge: AtomicOverrides", name="caps", target="{kind: Namespace, name: shop}"
    )
    assert reasons(own, [caps]) == ["Accepted", "Programmed"]
    assert reasons(own, [atomic]) == ["Accepted", "Overridden"]


def test_other_figures_of_a_shared_bulkhead_are_a_conflict() -> None:
    older = policy("bulkhead: {sharedName: db, maxConcurrent: 5}", name="a")
    newer = policy("bulkhead: {sharedName: db, maxConcurrent: 6}\ntimeouts: {request: 1s}", name="b")
    accepted, programmed = status(newer, [older])
    assert accepted[2:] == (
        "Conflicted",
        "bulkhead shop/db is as ResiliencePolicy shop/a says, which is older; the rest of this policy holds",
    )
    assert programmed[1]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("maxConcurrent: 5, queueTimeout: 1s", "maxConcurrent: 5, queueTimeout: 1000ms"),
        ("preset: ThreadPool", "maxConcurrent: 10, maxQueue: 10"),
        ("maxConcurrent: 100", ""),
    ],
)
def test_who_shares_a_bulkhead_and_means_the_same_figures_is_in_force(older: str, newer: str) -> None:
    services = [service(), service("shop/books")]
    one = policy(f"bulkhead: {{sharedName: db, {older}}}", name="a")
    other = policy(f"bulkhead: {{sharedName: db, {newer}}}", name="b", target="{kind: Service, name: books}")
    assert reasons(one, [other], services) == ["Accepted", "Programmed"]
    assert reasons(other, [one], services) == ["Accepted", "Programmed"]


def test_a_lost_host_is_said_on_the_loser() -> None:
    first, second = documents(
        EXTERNAL.format(name="a", host="x.example") + "---\n" + EXTERNAL.format(name="b", host="x.example")
    )
    assert status(second, [first])[0] == ("Accepted", False, "Conflicted", "host x.example belongs to shop/a")
    assert reasons(first, [second]) == ["Accepted", "Programmed"]


def test_an_external_service_hidden_by_a_registered_one_says_so() -> None:
    [external] = documents(EXTERNAL.format(name="cart", host="x.example"))
    assert status(external)[0][2:] == ("Conflicted", "a service registered as shop/cart hides it")


def test_a_backpressure_policy_tells_what_merging_left_of_it() -> None:
    kind = "BackpressurePolicy"
    own = policy("concurrency: {limit: 1}\nqueue: {capacity: 2}", kind=kind)
    everything = {"kind": kind, "name": "caps", "target": "{kind: Namespace, name: shop}"}
    limit = policy("concurrency: {limit: 9}\nmerge: PatchOverrides", **everything)
    assert reasons(own) == ["Accepted", "Programmed"]
    assert status(own, [limit])[1] == (
        "Programmed",
        True,
        "PartiallyProgrammed",
        "concurrency.limit overridden by BackpressurePolicy shop/caps on shop/cart",
    )
    both = policy("concurrency: {limit: 9}\nqueue: {capacity: 9}\nmerge: PatchOverrides", **everything)
    assert reasons(own, [both]) == ["Accepted", "Overridden"]
    shadow = policy("concurrency: {limit: 1}\nmode: Shadow", kind=kind)
    assert reasons(shadow) == ["Accepted", "Programmed"]
