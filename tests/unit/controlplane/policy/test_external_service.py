"""Services outside the mesh."""

import pytest

from controlplane.policy import external_service
from registry.model import Protocol, ServicePort
from tests.support.builders import documents, read

TEXT = """\
apiVersion: breakwater.dev/v1alpha1
kind: ExternalService
metadata: {name: bank, namespace: shop}
spec:
  hosts: [bank.example]
  ports: [{name: http, port: 80}, {name: grpc, port: 79, protocol: GRPC}]
  endpoints: [{address: 10.0.0.2, port: 9001}, {address: 10.0.0.1, port: 9001, labels: {track: stable}}]
"""


def test_ports_and_endpoints_are_those_of_a_service() -> None:
    [document] = documents(TEXT)
    assert external_service.ports(document) == (
        ServicePort(name="grpc", port=79, protocol=Protocol.GRPC),
        ServicePort(name="http", port=80),
    )
    first, second = external_service.endpoints(document)
    assert (first.instance, second.instance) == (
        "external/shop/bank/10.0.0.1:9001",
        "external/shop/bank/10.0.0.2:9001",
    )
    assert first.ports == {"grpc": 9001, "http": 9001}
    assert first.labels == {"track": "stable"}
    assert not first.has_sidecar


@pytest.mark.parametrize(
    ("written", "looked_up"),
    [
        ("bank.example", "bank.example"),
        ("bank", "bank.shop"),
        ("bank.pay.svc", "bank.pay"),
        ("bank.pay.svc.cluster.local", "bank.pay"),
    ],
)
def test_a_host_is_found_however_it_is_written(written: str, looked_up: str) -> None:
    [document] = documents(TEXT.replace("[bank.example]", f"[{written}]"))
    assert external_service.hosts(document) == (looked_up,)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "10.0.0.1",
            "bank.internal",
            (
                "spec.endpoints[1].address: expected an IPv4 or IPv6 address, found 'bank.internal'; "
                "names are not resolved"
            ),
        ),
        ("10.0.0.1", "10.0.0.2", "spec.endpoints[1]: the same address and port as endpoints[0]"),
        ("port: 79", "port: 80", "spec.ports[1].port: 80 is taken by ports[0]"),
        ("name: grpc", "name: http", "spec.ports[1].name: http is taken by ports[0]"),
        ("[bank.example]", "[bank.example, bank.example]", "spec.hosts[1]: the same as hosts[0]"),
        ("[bank.example]", "[bank, bank.shop]", "spec.hosts[1]: the same as hosts[0]"),
    ],
)
def test_rules_between_fields(old: str, new: str, problem: str) -> None:
    assert [f"{each.path}: {each.message}" for each in read(TEXT.replace(old, new)).problems] == [problem]
