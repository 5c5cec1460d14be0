"""Builders of registrations."""

from registry.model import Contract, Endpoint, InstanceId, Registration, ServiceName, ServicePort

CART = ServiceName(namespace="shop", name="cart")
HTTP = ServicePort(name="http", port=80)


def registration(
    instance: str = "cart-1",
    *,
    service: ServiceName = CART,
    ports: tuple[ServicePort, ...] = (HTTP,),
    contract: Contract | None = None,
    address: str = "127.0.0.1",
) -> Registration:
    """One instance, every port of whose service is reached at its own number plus 8000."""
    return Registration(
        service=service,
        ports=ports,
        contract=contract or Contract(),
        endpoint=Endpoint(
            instance=InstanceId(instance),
            address=address,
            ports={port.name: port.port + 8000 for port in sorted(ports, key=lambda port: port.name)},
        ),
    )
