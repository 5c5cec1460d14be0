"""Services that lost their last instance."""

from controlplane.snapshot.services import DESERTED_MOST, external_key, remember
from registry.catalog import Service
from registry.model import ServiceName
from tests.support.builders import policy, service, service_name

CART, WEB = service("shop/cart"), service("shop/web")


def by_name(*found: Service) -> dict[ServiceName, Service]:
    return {one.name: one for one in found}


def test_deserted_service_is_known_and_has_no_endpoints() -> None:
    found = remember(by_name(CART, WEB), by_name(WEB), {})
    assert found[WEB.name] is WEB
    assert found[CART.name].ports == CART.ports
    assert found[CART.name].endpoints == ()


def test_deserted_service_stays_the_same_object_so_that_nothing_is_built_anew() -> None:
    once = remember(by_name(CART), {}, {})
    assert remember(once, {}, {})[CART.name] is once[CART.name]


def test_service_that_registers_again_is_as_registered() -> None:
    assert remember(remember(by_name(CART), {}, {}), by_name(CART), {}) == by_name(CART)


def test_external_service_takes_over_the_name_of_a_deserted_one() -> None:
    described = policy(
        """
        hosts: [cart.shop]
        ports: [{name: http, port: 80}]
        endpoints: [{address: 127.0.0.1, port: 9001}]
        """,
        kind="ExternalService",
        target="",
    )
    assert remember(by_name(CART), {}, {external_key(CART.name): described}) == {}


def test_longest_deserted_services_are_forgotten_first() -> None:
    known = remember(by_name(CART), {}, {})
    many = by_name(*(service(f"shop/s{number}") for number in range(DESERTED_MOST)))
    found = remember({**known, **many}, {}, {})
    assert len(found) == DESERTED_MOST
    assert service_name("shop/cart") not in found
