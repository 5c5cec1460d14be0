"""What may be registered."""

from dataclasses import replace

import pytest

from registry.model import Contract, Endpoint, InstanceId, Registration, ServiceName, ServicePort
from registry.validate import validate
from tests.support.registrations import registration

GOOD = registration()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "2001:db8::7"])
def test_good_registration_has_no_problem(address: str) -> None:
    assert validate(registration(address=address)) == ()


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (replace(GOOD, service=ServiceName(namespace="Shop", name="cart")), "service.namespace"),
        (replace(GOOD, service=ServiceName(namespace="shop", name="a/b")), "service.name"),
        (replace(GOOD, ports=(*GOOD.ports, ServicePort(name="UP", port=81))), "ports[1].name"),
        (replace(GOOD, ports=(*GOOD.ports, ServicePort(name="zero", port=0))), "ports[1].port"),
        (replace(GOOD, ports=(*GOOD.ports, ServicePort(name="http", port=81))), "ports[1].name"),
        (replace(GOOD, ports=(*GOOD.ports, ServicePort(name="web", port=80))), "ports[1].port"),
        (replace(GOOD, ports=tuple(ServicePort(name=f"p{n}", port=n) for n in range(1, 18))), "ports"),
        (replace(GOOD, contract=Contract(owner="x" * 1025)), "contract.owner"),
        (replace(GOOD, contract=Contract(idempotent_methods=("GET",) * 257)), "contract.idempotent_methods"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, instance=InstanceId("a/b"))), "endpoint.instance"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, address="cart.local")), "endpoint.address"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, ports={})), "endpoint.ports"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, ports={"http": 65536})), "endpoint.ports[http]"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, ports={"ftp": 21})), "endpoint.ports[ftp]"),
        (replace(GOOD, endpoint=replace(GOOD.endpoint, labels={"k": "v" * 1025})), "endpoint.labels"),
        (
            replace(GOOD, endpoint=replace(GOOD.endpoint, labels={str(n): "" for n in range(33)})),
            "endpoint.labels",
        ),
    ],
)
def test_problem_names_its_field(broken: Registration, path: str) -> None:
    assert path in [problem.path for problem in validate(broken)]


def test_every_problem_is_reported_at_once() -> None:
    broken = Registration(
        service=ServiceName(namespace="", name=""),
        ports=(),
        endpoint=Endpoint(instance=InstanceId(""), address="", ports={}),
    )

    assert [problem.path for problem in validate(broken)] == [
        "service.namespace",
        "service.name",
        "ports",
        "endpoint.instance",
        "endpoint.address",
        "endpoint.ports",
    ]
