"""Services of the cluster as services of the catalogue, and how the index keeps them current."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from controlplane.kubernetes.index import Index
from controlplane.kubernetes.objects import EndpointSlice, Key, Meta, Object, Service, ServicePort
from controlplane.kubernetes.ports import protocol_of
from controlplane.kubernetes.services import service_of
from registry.catalog import Service as Known
from registry.model import Contract, Health, Protocol, ServiceName

CART = ServiceName(namespace="shop", name="cart")


def service(*ports: Mapping[str, Any], annotations: Mapping[str, str] | None = None, **spec: Any) -> Service:
    listed = ports or ({"name": "http", "port": 80},)
    return msgspec.convert(
        {
            "metadata": {"name": "cart", "namespace": "shop", "annotations": dict(annotations or {})},
            "spec": {"ports": listed, **spec},
        },
        Service,
    )


def slice_of(*endpoints: Mapping[str, Any], name: str = "cart-1", **rest: Any) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": "cart"}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "shop", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": endpoints,
            **rest,
        },
        EndpointSlice,
    )


def endpoint(address: str, pod: str = "", **conditions: bool) -> dict[str, Any]:
    reference = {"targetRef": {"kind": "Pod", "name": pod}} if pod else {}
    return {"addresses": [address], "conditions": conditions, **reference}


def pod(name: str, annotations: Mapping[str, str] | None = None, **labels: str) -> Object:
    return Object(
        metadata=Meta(name=name, namespace="shop", labels=labels, annotations=dict(annotations or {}))
    )


def described(service: Service, *slices: EndpointSlice, pods: Mapping[str, Object] | None = None) -> Known:
    found = service_of(service, slices, pods or {})
    assert found is not None
    return found


def test_an_endpoint_has_the_labels_of_its_pod_and_the_zone_that_its_slice_says() -> None:
    known = described(
        service(),
        slice_of(endpoint("10.0.0.1", "cart-a") | {"zone": "a"}, endpoint("10.0.0.2") | {"zone": "b"}),
        pods={"cart-a": pod("cart-a", track="canary")},
    )
    assert {each.address: dict(each.labels) for each in known.endpoints} == {
        "10.0.0.1": {"topology.kubernetes.io/zone": "a", "track": "canary"},
        "10.0.0.2": {"topology.kubernetes.io/zone": "b"},
    }


@pytest.mark.parametrize(
    ("given", "addresses"),
    [(["10.96.0.5", "fd00::5"], ("10.96.0.5", "fd00::5")), (["None"], ()), ([], ())],
    ids=["both families", "headless", "unknown"],
)
def test_a_service_has_the_addresses_that_the_cluster_gave_it(
    given: list[str], addresses: tuple[str, ...]
) -> None:
    assert described(service(clusterIPs=given)).addresses == addresses


def test_ports_are_those_of_tcp_sorted_by_number() -> None:
    found = described(
        service(
            {"name": "grpc-api", "port": 90},
            {"name": "web", "port": 80},
            {"name": "db", "port": 70, "appProtocol": "mysql"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        )
    )
    assert [(port.name, port.port, port.protocol) for port in found.ports] == [
        ("db", 70, Protocol.TCP),
        ("web", 80, Protocol.DETECT),
        ("grpc-api", 90, Protocol.GRPC),
    ]


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        (ServicePort(name="anything"), Protocol.DETECT),
        (ServicePort(name="h2c"), Protocol.HTTP2),
        (ServicePort(name="x", app_protocol="kubernetes.io/h2c"), Protocol.HTTP2),
        (ServicePort(name="grpc", app_protocol="http"), Protocol.HTTP),
        (ServicePort(name="mysql-main"), Protocol.TCP),
        (ServicePort(name="https"), Protocol.TLS),
        (ServicePort(name="http", app_protocol="example.com/own"), Protocol.TCP),
        (ServicePort(name="http", protocol="SCTP"), None),
    ],
)
def test_what_is_spoken_is_said_by_app_protocol_before_the_name(
    port: ServicePort, protocol: Protocol | None
) -> None:
    assert protocol_of(port) is protocol


def test_the_only_port_may_have_no_name() -> None:
    nameless = slice_of(endpoint("10.0.0.1"), ports=[{"port": 8080}])
    found = described(service({"port": 80}), nameless)
    assert [port.name for port in found.ports] == ["port-80"]
    assert found.endpoints[0].ports == {"port-80": 8080}


def test_nothing_in_the_mesh_calls_an_alias_of_a_name_elsewhere() -> None:
    assert service_of(service(type="ExternalName"), (), {}) is None
    assert service_of(service({"name": "dns", "port": 53, "protocol": "UDP"}), (), {}) is None


def test_the_contract_is_in_the_annotations() -> None:
    annotations = {
        "breakwater.dev/owner": "team-a",
        "breakwater.dev/version": "2",
        "breakwater.dev/idempotent-methods": "PUT, /shop.Cart/Get",
        "breakwater.dev/documentation": "https://example.org",
    }
    assert described(service(annotations=annotations)).contract == Contract(
        owner="team-a",
        version="2",
        idempotent_methods=("/shop.Cart/Get", "PUT"),
        documentation="https://example.org",
    )


def test_endpoints_that_are_not_ready_are_unhealthy_and_those_that_leave_are_gone() -> None:
    slices = slice_of(
        endpoint("10.0.0.1"), endpoint("10.0.0.2", ready=False), endpoint("10.0.0.3", terminating=True)
    )
    found = described(service(), slices).endpoints
    assert [(each.address, each.health) for each in found] == [
        ("10.0.0.1", Health.HEALTHY),
        ("10.0.0.2", Health.UNHEALTHY),
    ]


def test_a_pod_gives_its_name_and_labels_and_its_sidecar_where_it_listens() -> None:
    status = json.dumps({"template": "x", "listeners": {"8080": 15006}, "annotations": []})
    pods = {
        "cart-a": pod("cart-a", {"breakwater.dev/status": status}, track="stable"),
        "cart-b": pod("cart-b"),
    }
    slices = slice_of(endpoint("10.0.0.1", "cart-a"), endpoint("10.0.0.2", "cart-b"))
    injected, bare = described(service(), slices, pods=pods).endpoints
    assert (injected.instance, injected.ports, injected.has_sidecar) == ("cart-a", {"http": 15006}, True)
    assert injected.labels == {"track": "stable"}
    assert (bare.instance, bare.ports, bare.has_sidecar) == ("cart-b", {"http": 8080}, False)


def test_what_injection_left_may_be_unreadable() -> None:
    pods = {"cart-a": pod("cart-a", {"breakwater.dev/status": "{"})}
    [found] = described(service(), slice_of(endpoint("10.0.0.1", "cart-a")), pods=pods).endpoints
    assert (found.ports, found.has_sidecar) == ({"http": 8080}, True)


def test_a_pod_of_two_families_is_one_endpoint_in_the_first() -> None:
    four = slice_of(endpoint("10.0.0.1", "cart-a"), name="a")
    six = slice_of(endpoint("fd00::1", "cart-a"), name="b", addressType="IPv6")
    pods = {"cart-a": pod("cart-a")}
    [found] = described(service(ipFamilies=["IPv6", "IPv4"]), four, six, pods=pods).endpoints
    assert found.address == "fd00::1"


def test_the_index_joins_in_any_order_and_takes_apart_again() -> None:
    index = Index()
    index.take_pods({Key("shop", "cart-a"): pod("cart-a", track="stable")})
    index.take_slices({Key("shop", "cart-1"): slice_of(endpoint("10.0.0.1", "cart-a"))})
    assert index.update({}) == {}
    index.take_services({Key("shop", "cart"): service()})
    known = index.update({})
    assert [each.instance for each in known[CART].endpoints] == ["cart-a"]
    index.take_slices({Key("shop", "cart-1"): None})
    bare = index.update(known)
    assert bare[CART].endpoints == ()
    index.take_services({Key("shop", "cart"): None})
    assert index.update(bare) == {}


def test_the_index_hears_of_a_pod_that_gets_other_labels() -> None:
    index = Index()
    index.take_services({Key("shop", "cart"): service()})
    index.take_slices({Key("shop", "cart-1"): slice_of(endpoint("10.0.0.1", "cart-a"))})
    index.take_pods({Key("shop", "cart-a"): pod("cart-a", track="stable")})
    before = index.update({})
    assert not index.is_stale
    index.take_pods({Key("shop", "cart-a"): pod("cart-a", track="stable")})
    assert not index.is_stale
    index.take_pods({Key("shop", "cart-a"): pod("cart-a", track="canary")})
    assert index.update(before)[CART].endpoints[0].labels == {"track": "canary"}


def test_a_slice_may_go_over_to_another_service() -> None:
    index = Index()
    index.take_services({Key("shop", "cart"): service()})
    index.take_slices({Key("shop", "x"): slice_of(endpoint("10.0.0.1"))})
    before = index.update({})
    other = msgspec.structs.replace(
        slice_of(endpoint("10.0.0.1")),
        metadata=Meta(name="x", namespace="shop", labels={"kubernetes.io/service-name": "till"}),
    )
    index.take_slices({Key("shop", "x"): other})
    assert index.update(before)[CART].endpoints == ()


def test_an_update_that_changes_nothing_returns_what_was_known() -> None:
    index = Index()
    index.take_services({Key("shop", "cart"): service()})
    known = index.update({})
    index.take_services({Key("shop", "cart"): service()})
    assert index.update(known) is known
