"""Effective settings as rows."""

from controlplane.model.resource import Outbound, ResourceType
from controlplane.snapshot.describe import rows
from tests.support.builders import SCHEMA, body, policy, service, snapshot


def test_every_field_is_a_row_with_value_and_origin() -> None:
    document = policy("bulkhead: {maxConcurrent: 7}\nretry: {when: ['503'], replayBytes: 1Ki}")
    outbound = body(snapshot([document], [service()]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(outbound, Outbound)
    found = {row.path: (row.value, row.origin.level) for row in rows(outbound.variants[-1], SCHEMA)}
    assert found["bulkhead.maxConcurrent"] == ("7", "Service")
    assert found["bulkhead.maxQueue"] == ("7", "Default")
    assert found["retry.when"] == ("['503']", "Service")
    assert found["retry.replayBytes"] == ("1Ki", "Service")
    assert found["retry.backoff.base"] == ("25ms", "Default")
    assert list(found) == sorted(found)
