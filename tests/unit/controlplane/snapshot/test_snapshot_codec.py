"""Resources and documents as messages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controlplane.model.document import Document
from controlplane.model.resource import ResourceName, ResourceType
from controlplane.policy.target import Level
from controlplane.snapshot.codec import encode_policy
from mesh.v1 import rate_limit_pb2, registry_pb2, resilience_pb2, resource_pb2, target_pb2
from tests.support.builders import documents, policy, service, snapshot
from tests.unit.controlplane.snapshot.test_build import EXTERNAL


def test_effective_settings_are_the_message_of_the_contract() -> None:
    document = policy(
        "breaker: {service: {halfOpen: {probes: 4}}}\nretry: {strategy: Fixed, honorRetryAfter: false}"
    )
    built = snapshot([document], [service()])
    encoded = built.resources[ResourceName(ResourceType.OUTBOUND, "shop/cart")].encoded
    [variant] = resource_pb2.Outbound.FromString(encoded).variants
    breaker = variant.resilience.breaker.service
    assert breaker.half_open.probes == 4
    assert not breaker.half_open.HasField("success_threshold")
    assert breaker.trip.error_rate == 50
    assert breaker.open.base.ToMilliseconds() == 30_000
    assert variant.resilience.retry.strategy == resilience_pb2.RETRY_STRATEGY_FIXED
    assert variant.resilience.retry.honor_retry_after is False
    assert variant.resilience.retry.HasField("honor_retry_after")
    assert not variant.resilience.breaker.HasField("endpoint")
    assert not variant.HasField("caller")


def test_limits_are_the_message_of_the_contract() -> None:
    document = policy(
        "from: [{kind: Service, name: web}]\n"
        "limits: [{name: a, requests: 5, per: 1m, whenKeysFull: Refuse, by: [{header: x-user}, "
        "{path: true}]}]\n"
        "exempt: [{sourceIp: 10.0.0.0/8}]",
        kind="RateLimitPolicy",
    )
    built = snapshot([document], [service()])
    encoded = built.resources[ResourceName(ResourceType.INBOUND, "shop/cart")].encoded
    [rules] = resource_pb2.Inbound.FromString(encoded).rate_limits
    [limit] = rules.limits
    assert (limit.requests, limit.per.seconds, limit.burst) == (5, 60, 1)
    assert [subject.header for subject in limit.by] == ["x-user", ""]
    assert limit.by[1].path
    assert limit.when_keys_full == rate_limit_pb2.FULL_KEY_TABLE_REFUSE
    assert rules.exempt[0].source_ip == "10.0.0.0/8"
    assert getattr(rules, "from")[0].service == "web"
    assert rules.response.status == 429


def test_endpoints_are_the_message_of_the_contract() -> None:
    built = snapshot(documents(EXTERNAL.format(name="bank", host="x.example")), [service()])
    encoded = built.resources[ResourceName(ResourceType.ENDPOINTS, "shop/cart")].encoded
    [endpoint] = resource_pb2.Endpoints.FromString(encoded).endpoints
    assert endpoint.has_sidecar
    assert endpoint.health == registry_pb2.HEALTH_HEALTHY
    assert dict(endpoint.ports) == {"http": 9001}


def test_a_document_is_a_message_without_defaults() -> None:
    document = replace(
        policy("retry: {attempts: 3}"),
        generation=4,
        created_at=datetime(2026, 11, 25, tzinfo=UTC),
        file="admin",
    )
    message = encode_policy(document)
    assert message.metadata.generation == 4
    assert message.metadata.created_at.ToDatetime(tzinfo=UTC) == datetime(2026, 11, 25, tzinfo=UTC)
    assert message.resilience.retry.attempts == 3
    assert not message.resilience.retry.HasField("budget")
    assert message.source == "admin:1"


def test_a_mesh_without_fields_is_still_a_mesh() -> None:
    [document] = documents(
        "apiVersion: breakwater.dev/v1alpha1\nkind: Mesh\nmetadata: {name: default}\nspec: {}\n"
    )
    assert encode_policy(document).WhichOneof("spec") == "mesh"
    assert encode_policy(document).source == "policies.yaml:1"


def test_what_comes_before_what_is_told_of_rehearsals() -> None:
    spec, born = "percent: 5\nexpiresAfter: 30m\ndelay: 1s", datetime(2026, 1, 1, tzinfo=UTC)
    own = replace(policy(spec, kind="FaultPolicy", name="own"), created_at=born + timedelta(days=1))
    namespace = "{kind: Namespace, name: shop}"
    written = policy(f"{spec}\nmerge: PatchOverrides", kind="FaultPolicy", name="wide", target=namespace)
    wide = replace(written, created_at=born)
    first, second = rehearsals(own, wide)
    assert (first.specificity, first.age, second.age) == (Level.SERVICE, 1, 0)
    assert second.merge == target_pb2.POLICY_MERGE_PATCH_OVERRIDES


def rehearsals(*documents: Document) -> list[resource_pb2.FaultRules]:
    """What callers of the service are sent."""
    encoded = snapshot(documents, [service()]).resources[ResourceName(ResourceType.OUTBOUND, "shop/cart")]
    return list(resource_pb2.Outbound.FromString(encoded.encoded).faults)
