"""What of the newest snapshot may be on the way back after a restart."""

import pytest

from controlplane.discovery.desired import Published
from controlplane.model.resource import ResourceName
from tests.support.builders import policy, service, snapshot
from tests.support.desired import endpoints, outbound

BANK = policy(
    "{hosts: [bank.com], ports: [{name: http, port: 80}], endpoints: [{address: 10.0.0.1, port: 80}]}",
    kind="ExternalService",
    name="bank",
    target="",
)
SNAPSHOT = snapshot([BANK], [service("shop/cart")])


@pytest.mark.parametrize(
    ("name", "is_awaited"),
    [
        (endpoints("shop/cart"), True),
        (endpoints("shop/gone"), True),
        (outbound("shop/gone"), True),
        (outbound("shop/cart"), False),
        (endpoints("shop/bank"), False),
    ],
    ids=str,
)
def test_registered_endpoints_and_what_is_missing_are_awaited_after_a_restart(
    name: ResourceName, is_awaited: bool
) -> None:
    assert Published(SNAPSHOT, is_settled=False).is_awaited(name) is is_awaited
    assert not Published(SNAPSHOT, is_settled=True).is_awaited(name)
