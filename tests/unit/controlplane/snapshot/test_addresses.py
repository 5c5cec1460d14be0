"""Which service is meant by an address."""

from controlplane.model.resource import HostBinding
from controlplane.snapshot.addresses import addresses_of
from registry.catalog import Service
from registry.model import Contract, Endpoint, InstanceId, ServiceName, ServicePort

CART = ServiceName(namespace="shop", name="cart")
PORTS = (ServicePort(name="web", port=80), ServicePort(name="admin", port=81))


def service(*addresses: str, is_declared: bool = True) -> Service:
    """Return a service with two endpoints, one of them behind both ports at one number."""
    endpoints = (
        Endpoint(instance=InstanceId("a"), address="10.0.0.7", ports={"admin": 8081, "web": 8080}),
        Endpoint(instance=InstanceId("b"), address="fd00::7", ports={"admin": 9000, "web": 9000}),
        Endpoint(instance=InstanceId("c"), address="cart.example", ports={"web": 9000}),
    )
    return Service(
        name=CART,
        ports=PORTS,
        contract=Contract(),
        endpoints=endpoints,
        conflicts=(),
        registered={},
        is_declared=is_declared,
        addresses=addresses,
    )


def test_a_service_is_meant_by_each_of_its_addresses_at_each_of_its_ports() -> None:
    assert addresses_of(service("10.96.0.5", "fd00:96::05")) == {
        "10.96.0.5:80": HostBinding(service=CART, port=80),
        "10.96.0.5:81": HostBinding(service=CART, port=81),
        "[fd00:96::5]:80": HostBinding(service=CART, port=80),
        "[fd00:96::5]:81": HostBinding(service=CART, port=81),
    }


def test_a_service_without_an_address_is_meant_by_those_of_its_endpoints_each_for_itself() -> None:
    assert addresses_of(service()) == {
        "10.0.0.7:8080": HostBinding(service=CART, port=80, is_endpoint=True),
        "10.0.0.7:8081": HostBinding(service=CART, port=81, is_endpoint=True),
        "[fd00::7]:9000": HostBinding(service=CART, port=80, is_endpoint=True),
    }


def test_a_registered_service_is_called_by_its_name_alone() -> None:
    assert addresses_of(service(is_declared=False)) == {}
    assert addresses_of(None) == {}
