"""What governs a service, for whom."""

from collections.abc import Iterable

from controlplane.model.document import Document
from controlplane.model.effective import CallerMatch, OutboundVariant
from controlplane.model.resource import Inbound, Outbound, ResourceType
from controlplane.model.value import Duration, find
from registry.catalog import Service
from tests.support.builders import body, documents, mesh, policy, service, snapshot

ROOT = "breakwater-system"
LIMITS = "limits: [{name: a, requests: 1, per: 1s}]"


def outbound(policies: Iterable[Document], services: Iterable[Service] | None = None) -> Outbound:
    built = body(snapshot(policies, services or [service()]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(built, Outbound)
    return built


def inbound(policies: Iterable[Document], services: Iterable[Service] | None = None) -> Inbound:
    built = body(snapshot(policies, services or [service()]), ResourceType.INBOUND, "shop/cart")
    assert isinstance(built, Inbound)
    return built


def request(seconds: int) -> str:
    return f"timeouts: {{request: {seconds}s}}"


def seconds(variant: OutboundVariant) -> float | None:
    value = find(variant.resilience, "timeouts.request")
    return value.seconds if isinstance(value, Duration) else None


def for_anyone(policies: Iterable[Document]) -> float | None:
    return seconds(outbound(policies).variants[-1])


def test_no_policy_no_behaviour() -> None:
    [variant] = outbound([]).variants
    assert variant == OutboundVariant(caller=None, resilience={}, origins=())


def test_levels_go_from_the_mesh_to_the_service() -> None:
    levels = [
        mesh("defaults: {resilience: {timeouts: {request: 1s}}}"),
        policy(request(2), name="all", namespace=ROOT, target="{kind: Mesh, name: default}"),
        policy(request(3), name="namespace", target="{kind: Namespace, name: shop}"),
        policy(request(4), name="own"),
    ]
    for count in range(1, 5):
        assert for_anyone(levels[:count]) == count


def test_every_effective_field_names_its_object_and_level() -> None:
    [variant] = outbound(
        [mesh("defaults: {resilience: {timeouts: {connect: 2s}}}"), policy(request(4))]
    ).variants
    found = {
        origin.path: (str(origin.policy.key) if origin.policy else "", origin.level)
        for origin in variant.origins
    }
    assert found["timeouts.connect"] == ("Mesh default", "Mesh")
    assert found["timeouts.request"] == ("ResiliencePolicy shop/cart", "Service")
    assert found["timeouts.idle"] == ("", "Default")


def test_of_two_files_the_first_by_name_wins() -> None:
    assert for_anyone([policy(request(2), name="b"), policy(request(1), name="a")]) == 1


def test_a_policy_of_several_targets_counts_at_its_most_specific_one() -> None:
    both = policy(request(2), name="b", target="{kind: Service, name: cart}, {kind: Namespace, name: shop}")
    assert for_anyone([both, policy(request(1), name="a", target="{kind: Namespace, name: shop}")]) == 2


def test_a_disabled_policy_is_as_if_it_were_not_there() -> None:
    assert for_anyone([policy(request(2) + "\nmode: Disabled")]) is None


def test_a_policy_in_shadow_changes_only_what_would_be() -> None:
    quicker = policy(f"{request(1)}\nmode: Shadow\nmerge: PatchOverrides", name="quicker")
    [variant] = outbound([policy(request(3)), quicker]).variants
    assert seconds(variant) == 3
    assert variant.shadow is not None
    assert find(variant.shadow, "timeouts.request") == Duration(1_000_000_000)
    told = {origin.policy.key.name for origin in variant.shadow_origins if origin.policy}
    assert told == {"quicker"}
    assert all(origin.policy is None or origin.policy.key.name == "cart" for origin in variant.origins)


def test_callers_that_only_a_policy_in_shadow_tells_apart_have_a_variant_of_their_own() -> None:
    some = policy(f"{request(1)}\nmode: Shadow\nfrom: [{{kind: Namespace, name: web}}]", name="some")
    first, anyone = outbound([policy(request(3)), some]).variants
    assert (first.caller, seconds(first)) == (CallerMatch(namespace="web"), 3)
    assert first.shadow is not None
    assert anyone.shadow is None


def test_a_bulkhead_in_shadow_is_not_what_others_share() -> None:
    def shared(name: str, places: int, mode: str) -> Document:
        return policy(f"bulkhead: {{maxConcurrent: {places}, sharedName: all}}\nmode: {mode}", name=name)

    [variant] = outbound([shared("a", 1, "Shadow"), shared("b", 2, "Enforce")]).variants
    assert find(variant.resilience, "bulkhead.maxConcurrent") == 2
    assert variant.shadow is not None
    assert find(variant.shadow, "bulkhead.maxConcurrent") == 1


def test_a_policy_that_may_not_name_its_target_is_not_in_force() -> None:
    assert for_anyone([policy(request(2), target="{kind: Mesh, name: default}")]) is None


def test_callers_get_variants_of_their_own() -> None:
    built = outbound(
        [
            policy(request(2), name="everybody"),
            policy(request(1) + "\nfrom: [{kind: Service, name: web}]", name="web"),
        ]
    )
    assert [(variant.caller, seconds(variant)) for variant in built.variants] == [
        (CallerMatch(namespace="shop", service="web"), 1),
        (None, 2),
    ]


def test_a_policy_for_some_callers_is_more_specific_than_one_for_all() -> None:
    some = policy(request(1) + "\nfrom: [{kind: Namespace, name: web}]", name="z")
    built = outbound([policy(request(2), name="a"), some])
    assert seconds(built.variants[0]) == 1


def test_a_variant_like_the_next_more_general_one_is_left_out() -> None:
    caps = policy(request(2) + "\nmerge: PatchOverrides", name="caps", target="{kind: Namespace, name: shop}")
    some = policy(request(1) + "\nfrom: [{kind: Service, name: web}]", name="web")
    assert [variant.caller for variant in outbound([caps, some]).variants] == [None]


def test_a_consumers_rule_is_for_its_own_callers_and_more_specific() -> None:
    target = "{kind: Namespace, name: shop}"
    consumer = policy(request(9), name="patient", namespace="web", target=target)
    built = outbound([policy(request(2)), consumer])
    assert [(variant.caller, seconds(variant)) for variant in built.variants] == [
        (CallerMatch(namespace="web"), 9),
        (None, 2),
    ]


def test_a_producers_override_holds_for_consumers_too() -> None:
    consumer = policy(
        request(9), name="patient", namespace="web", target="{kind: Service, name: cart, namespace: shop}"
    )
    assert for_anyone([policy(request(2) + "\nmerge: PatchOverrides"), consumer]) == 2
    assert len(outbound([policy(request(2) + "\nmerge: PatchOverrides"), consumer]).variants) == 1


def test_limits_of_every_level_apply_sorted_by_policy() -> None:
    policies = [
        policy(LIMITS, kind="RateLimitPolicy", name="own"),
        policy(LIMITS, kind="RateLimitPolicy", name="all", target="{kind: Namespace, name: shop}"),
        policy(
            LIMITS, kind="RateLimitPolicy", name="cap", namespace=ROOT, target="{kind: Mesh, name: default}"
        ),
    ]
    assert [rules.policy.key.qualified_name for rules in inbound(policies).rate_limits] == [
        "breakwater-system/cap",
        "shop/all",
        "shop/own",
    ]
    assert outbound(policies).rate_limits == ()


def test_limits_at_the_caller_are_for_callers_alone() -> None:
    policies = [policy(LIMITS + "\nat: Caller", kind="RateLimitPolicy")]
    assert inbound(policies).rate_limits == ()
    assert len(outbound(policies).rate_limits) == 1


def test_callers_enforce_the_limits_of_a_target_without_sidecars() -> None:
    policies = [policy(LIMITS, kind="RateLimitPolicy")]
    services = [service(has_sidecar=False)]
    assert len(outbound(policies, services).rate_limits) == 1
    assert inbound(policies, services).rate_limits == ()


def test_callers_enforce_the_limits_of_a_service_outside_the_mesh() -> None:
    external = documents(
        """\
        apiVersion: breakwater.dev/v1alpha1
        kind: ExternalService
        metadata: {name: cart, namespace: shop}
        spec: {hosts: [cart], ports: [{name: http, port: 80}], endpoints: [{address: 10.0.0.1, port: 9001}]}
        """
    )
    limit = policy(LIMITS, kind="RateLimitPolicy", target="{kind: ExternalService, name: cart}")
    built = snapshot([*external, limit])
    resource = body(built, ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(resource, Outbound)
    assert len(resource.rate_limits) == 1
    assert not any(name.type is ResourceType.INBOUND for name in built.resources)


def test_a_shared_bulkhead_is_as_the_older_policy_says() -> None:
    first = policy(
        "bulkhead: {sharedName: db, maxConcurrent: 5}", name="a", target="{kind: Service, name: other}"
    )
    second = policy("bulkhead: {sharedName: db, maxConcurrent: 9}\ntimeouts: {}", name="b")
    [variant] = outbound([first, second]).variants
    assert find(variant.resilience, "bulkhead.maxConcurrent") == 5
    origins = {origin.path: origin.policy.key.name for origin in variant.origins if origin.policy}
    assert origins["bulkhead.maxConcurrent"] == "a"
