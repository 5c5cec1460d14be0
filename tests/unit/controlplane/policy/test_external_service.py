"""Services outside the mesh."""

import pytest

from controlplane.model.resource import Resolution
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


def test_a_zone_is_a_label_and_a_weight_is_one_unless_it_is_told() -> None:
    [document] = documents(
        TEXT.replace("labels: {track: stable}", "zone: a, weight: 3, labels: {track: stable}")
    )
    first, second = external_service.endpoints(document)
    assert first.labels == {"topology.kubernetes.io/zone": "a", "track": "stable"}
    assert (first.weight, second.weight) == (3, 1)


NAMED = TEXT.replace("spec:\n", "spec:\n  resolution: DNS\n").replace("10.0.0.1", "Api.bank.example")
HOST_ONLY = f"{NAMED.partition('  endpoints:')[0]}"


def test_with_dns_an_address_may_be_a_host_name() -> None:
    [document] = documents(NAMED)
    assert external_service.resolution(document) is Resolution.DNS
    first, second = external_service.endpoints(document)
    assert (first.address, second.address) == ("10.0.0.2", "api.bank.example")
    assert second.instance == "external/shop/bank/api.bank.example:9001"
    assert second.ports == {"grpc": 9001, "http": 9001}


def test_without_endpoints_the_host_is_resolved_and_reached_at_the_ports_called() -> None:
    [document] = documents(HOST_ONLY)
    [endpoint] = external_service.endpoints(document)
    assert endpoint.instance == "external/shop/bank/bank.example"
    assert (endpoint.address, endpoint.ports) == ("bank.example", {"grpc": 79, "http": 80})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            HOST_ONLY.replace("  resolution: DNS\n", ""),
            "spec.endpoints: expected at least one, or resolution: DNS, found none",
        ),
        (
            HOST_ONLY.replace("[bank.example]", "[bank.example, pay.example]"),
            (
                "spec.hosts: expected one host where hosts themselves are resolved, found 2; "
                "list what to resolve as endpoints, or write one document for each host"
            ),
        ),
        (
            HOST_ONLY.replace("[bank.example]", "[bank..example]"),
            "spec.hosts[0]: expected an IPv4 or IPv6 address or a host name, found 'bank..example'",
        ),
        (
            NAMED.replace("Api.bank.example", "10.0.0.256"),
            "spec.endpoints[1].address: expected an IPv4 or IPv6 address or a host name, found '10.0.0.256'",
        ),
        (
            NAMED.replace("10.0.0.2", "api.bank.example"),
            "spec.endpoints[1]: the same address and port as endpoints[0]",
        ),
    ],
)
def test_what_is_resolved_must_be_clear(text: str, problem: str) -> None:
    assert [f"{each.path}: {each.message}" for each in read(text).problems] == [problem]


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
                "resolution: DNS resolves host names"
            ),
        ),
        ("10.0.0.1", "10.0.0.2", "spec.endpoints[1]: the same address and port as endpoints[0]"),
        ("port: 79", "port: 80", "spec.ports[1].port: 80 is taken by ports[0]"),
        ("name: grpc", "name: http", "spec.ports[1].name: http is taken by ports[0]"),
        ("[bank.example]", "[bank.example, bank.example]", "spec.hosts[1]: the same as hosts[0]"),
        (
            "[bank.example]",
            "[bank..example]",
            (
                "spec.hosts[0]: expected labels of 1 to 63 letters, digits and -, with dots between, "
                "found 'bank..example'"
            ),
        ),
        ("[bank.example]", "[bank, bank.shop]", "spec.hosts[1]: the same as hosts[0]"),
    ],
)
def test_rules_between_fields(old: str, new: str, problem: str) -> None:
    assert [f"{each.path}: {each.message}" for each in read(TEXT.replace(old, new)).problems] == [problem]
