"""Effective settings as rows."""

from controlplane.model.resource import Inbound, Outbound, ResourceType
from controlplane.snapshot.describe import inbound_rows, outbound_rows
from tests.support.builders import SCHEMA, body, policy, service, snapshot


def test_every_field_is_a_row_with_value_and_origin() -> None:
    document = policy("bulkhead: {maxConcurrent: 7}\nretry: {when: ['503'], replayBytes: 1Ki}")
    outbound = body(snapshot([document], [service()]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(outbound, Outbound)
    found = {row.path: (row.value, row.origin.level) for row in outbound_rows(outbound.variants[-1], SCHEMA)}
    assert found["bulkhead.maxConcurrent"] == ("7", "Service")
    assert found["bulkhead.maxQueue"] == ("7", "Default")
    assert found["retry.when"] == ("['503']", "Service")
    assert found["retry.replayBytes"] == ("1Ki", "Service")
    assert found["retry.backoff.base"] == ("25ms", "Default")
    assert list(found) == sorted(found)


def test_a_map_is_one_row() -> None:
    groups = "{a: {matchLabels: {pool: a}}}"
    document = policy(f"instanceGroups: {{groups: {groups}, assign: [{{group: a}}]}}")
    outbound = body(snapshot([document], [service()]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(outbound, Outbound)
    found = {row.path: row.value for row in outbound_rows(outbound.variants[-1], SCHEMA)}
    assert found["instanceGroups.groups"] == groups


def test_what_stands_in_front_of_an_application_is_told_too() -> None:
    document = policy("concurrency: {limit: 7}", kind="BackpressurePolicy")
    inbound = body(snapshot([document], [service()]), ResourceType.INBOUND, "shop/cart")
    assert isinstance(inbound, Inbound)
    assert [(row.path, row.value) for row in inbound_rows(inbound, SCHEMA)] == [("concurrency.limit", "7")]


def test_without_a_policy_there_is_nothing_to_tell() -> None:
    inbound = body(snapshot([], [service()]), ResourceType.INBOUND, "shop/cart")
    assert isinstance(inbound, Inbound)
    assert inbound_rows(inbound, SCHEMA) == ()
