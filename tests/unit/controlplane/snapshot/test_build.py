"""Snapshots: what is in them, and what a change changes."""

from dataclasses import replace

import pytest

from controlplane.model.document import Document
from controlplane.model.resource import (
    Endpoints,
    HostBinding,
    Inbound,
    MeshSettings,
    Outbound,
    ResourceName,
    ResourceType,
)
from controlplane.snapshot.build import Snapshot, build
from controlplane.snapshot.diff import Difference, diff
from controlplane.snapshot.hosts import MAX_NAMED
from registry.model import Contract, ServiceName
from tests.support.builders import (
    COMPILER,
    body,
    documents,
    inputs,
    mesh,
    policy,
    service,
    service_name,
    snapshot,
)

EXTERNAL = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{host}], ports: [{{name: http, port: 80}}], endpoints: [{{address: 10.0.0.1, port: 9001}}]}}
"""
NAMED = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{name}.example], ports: [{{name: http, port: 80}}], resolution: DNS}}
"""


def names(difference: Difference) -> list[str]:
    return [str(resource.name) for resource in difference.changed] + [
        f"-{name}" for name in difference.removed
    ]


def test_a_registered_service_has_a_host_and_three_resources() -> None:
    built = snapshot([], [service(contract=Contract(idempotent_methods=("POST",)))])
    assert {str(name) for name in built.resources} == {
        "mesh/default",
        "host/cart.shop",
        "outbound/shop/cart",
        "endpoints/shop/cart",
        "inbound/shop/cart",
    }
    assert body(built, ResourceType.HOST, "cart.shop") == HostBinding(service=service_name("shop/cart"))
    outbound = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(outbound, Outbound)
    assert outbound.idempotent_methods == ("POST",)
    assert isinstance(body(built, ResourceType.INBOUND, "shop/cart"), Inbound)
    assert isinstance(body(built, ResourceType.ENDPOINTS, "shop/cart"), Endpoints)


def test_endpoints_that_change_compile_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot([policy("timeouts: {request: 1s}")], [service()])

    def compiled(*_: object, **__: object) -> None:
        raise AssertionError("a policy was compiled")

    monkeypatch.setattr("controlplane.snapshot.build.build_outbound", compiled)
    monkeypatch.setattr("controlplane.snapshot.build.build_inbound", compiled)
    after = build(
        replace(before.inputs, services={service_name("shop/cart"): service(instances=2)}), COMPILER, before
    )
    assert names(diff(before, after)) == ["endpoints/shop/cart"]


def test_the_settings_of_the_mesh_are_always_there() -> None:
    assert body(snapshot(), ResourceType.MESH, "default") == MeshSettings(
        trust_domain="cluster.local",
        access_log={"mode": "ErrorsAndSampled", "samplePercent": 1},
        unknown_destinations="PassThrough",
    )
    settings = body(snapshot([mesh("telemetry: {accessLog: {mode: All}}")]), ResourceType.MESH, "default")
    assert isinstance(settings, MeshSettings)
    assert settings.access_log == {"mode": "All", "samplePercent": 1}
    assert settings.tracing is None


def test_the_mesh_knows_the_services_that_host_names_lead_to() -> None:
    near = documents(EXTERNAL.format(name="near", host="near.example"))
    some, other = named("b"), named("a")
    built = snapshot([*some, *other, *near])
    assert named_services(built) == [service_name("shop/a"), service_name("shop/b")]
    fewer = replace(built.inputs, documents={one.key: one for one in (*some, *near)})
    after = build(fewer, COMPILER, built)
    assert named_services(after) == [service_name("shop/b")]
    assert "mesh/default" in names(diff(built, after))


def test_everybody_follows_so_many_host_names_and_no_more() -> None:
    many = [document for number in range(MAX_NAMED + 1) for document in named(f"x{number}")]
    assert len(named_services(snapshot(many))) == MAX_NAMED


def named(name: str) -> tuple[Document, ...]:
    return documents(NAMED.format(name=name))


def named_services(built: Snapshot) -> list[ServiceName]:
    settings = body(built, ResourceType.MESH, "default")
    assert isinstance(settings, MeshSettings)
    return list(settings.named_services)


def test_equal_inputs_make_equal_versions_in_any_order() -> None:
    policies = [policy("timeouts: {}", name="a"), policy("retry: {}", name="b")]
    services = [service("shop/cart"), service("shop/web")]
    first, second = snapshot(policies, services), snapshot(policies[::-1], services[::-1])
    assert {name: resource.version for name, resource in first.resources.items()} == {
        name: resource.version for name, resource in second.resources.items()
    }


def test_a_version_is_the_first_half_of_the_hash_of_the_bytes() -> None:
    version = snapshot().resources[ResourceName(ResourceType.MESH, "default")].version
    assert len(version) == 32
    assert int(version, 16) > 0


def test_a_resource_knows_the_policies_it_is_made_of() -> None:
    own = policy("timeouts: {}")
    built = snapshot(
        [own, policy("timeouts: {}", name="other", target="{kind: Service, name: web}")], [service()]
    )
    assert built.resources[ResourceName(ResourceType.OUTBOUND, "shop/cart")].policies == {own.key}


def _step(before: Snapshot, after: Snapshot) -> list[str]:
    return names(diff(before, after))


def test_one_changed_policy_changes_only_the_services_it_governs() -> None:
    services = [service("shop/cart"), service("shop/web")]
    first = inputs([policy("timeouts: {request: 1s}")], services)
    before = build(first, COMPILER)
    changed = inputs([policy("timeouts: {request: 2s}")], services, revision=2)
    changed = replace(changed, services=first.services)
    after = build(changed, COMPILER, before)
    assert _step(before, after) == ["outbound/shop/cart"]
    kept = ResourceName(ResourceType.OUTBOUND, "shop/web")
    assert after.resources[kept] is before.resources[kept]


def test_a_policy_that_goes_restores_what_was_before() -> None:
    services = [service()]
    plain = snapshot([], services)
    with_policy = build(inputs([policy("timeouts: {}")], services), COMPILER, plain)
    assert _step(plain, with_policy) == ["outbound/shop/cart"]
    without = build(inputs([], services), COMPILER, with_policy)
    assert _step(plain, without) == []


def test_a_policy_that_moves_changes_its_old_and_its_new_target() -> None:
    services = [service("shop/cart"), service("shop/web")]
    before = snapshot([policy("timeouts: {}")], services)
    after = build(
        inputs([policy("timeouts: {}", target="{kind: Service, name: web}")], services), COMPILER, before
    )
    assert _step(before, after) == ["outbound/shop/cart", "outbound/shop/web"]


def test_other_endpoints_change_the_endpoints_alone() -> None:
    before = snapshot([policy("timeouts: {}")], [service(instances=1)])
    after = build(inputs([policy("timeouts: {}")], [service(instances=2)]), COMPILER, before)
    assert _step(before, after) == ["endpoints/shop/cart"]


def test_a_service_that_goes_takes_its_resources_along() -> None:
    before = snapshot([], [service()])
    after = build(inputs(), COMPILER, before)
    assert _step(before, after) == [
        "-host/cart.shop",
        "-outbound/shop/cart",
        "-endpoints/shop/cart",
        "-inbound/shop/cart",
    ]


def test_a_policy_waits_for_its_target_to_appear() -> None:
    before = snapshot([policy("timeouts: {}")])
    after = build(inputs([policy("timeouts: {}")], [service()]), COMPILER, before)
    outbound = body(after, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(outbound, Outbound)
    assert "timeouts" in outbound.variants[0].resilience


def test_another_mesh_concerns_everybody() -> None:
    services = [service("shop/cart"), service("shop/web")]
    before = snapshot([], services)
    after = build(inputs([mesh("defaults: {resilience: {timeouts: {}}}")], services), COMPILER, before)
    assert _step(before, after) == ["outbound/shop/cart", "outbound/shop/web"]


def test_a_shared_bulkhead_that_changes_changes_all_that_share_it() -> None:
    services = [service("shop/cart"), service("shop/web")]
    first = policy("bulkhead: {sharedName: db, maxConcurrent: 5}", name="a")
    changed = policy("bulkhead: {sharedName: db, maxConcurrent: 6}", name="a")
    second = policy("bulkhead: {sharedName: db}", name="b", target="{kind: Service, name: web}")
    before = snapshot([first, second], services)
    after = build(inputs([changed, second], services), COMPILER, before)
    assert _step(before, after) == ["outbound/shop/cart", "outbound/shop/web"]


def test_hosts_of_a_service_outside_the_mesh_lead_to_it() -> None:
    built = snapshot(documents(EXTERNAL.format(name="bank", host="bank.example")))
    assert body(built, ResourceType.HOST, "bank.example") == HostBinding(service=service_name("shop/bank"))
    endpoints = body(built, ResourceType.ENDPOINTS, "shop/bank")
    assert isinstance(endpoints, Endpoints)
    assert [endpoint.address for endpoint in endpoints.endpoints] == ["10.0.0.1"]


def test_of_two_claims_of_a_host_the_first_by_name_wins() -> None:
    claims = documents(
        EXTERNAL.format(name="b", host="x.example") + "---\n" + EXTERNAL.format(name="a", host="x.example")
    )
    assert body(snapshot(claims), ResourceType.HOST, "x.example") == HostBinding(
        service=service_name("shop/a")
    )


def test_a_registered_service_keeps_its_host() -> None:
    built = snapshot(documents(EXTERNAL.format(name="a", host="cart.shop")), [service()])
    assert body(built, ResourceType.HOST, "cart.shop") == HostBinding(service=service_name("shop/cart"))


def test_a_registered_service_hides_an_external_one_of_its_name() -> None:
    external = documents(EXTERNAL.format(name="cart", host="bank.example"))
    before = snapshot(external)
    after = build(inputs(external, [service()]), COMPILER, before)
    endpoints = body(after, ResourceType.ENDPOINTS, "shop/cart")
    assert isinstance(endpoints, Endpoints)
    assert [endpoint.address for endpoint in endpoints.endpoints] == ["127.0.0.1"]
