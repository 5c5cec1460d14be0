"""Services that are known from elsewhere, beside those that are registered."""

from dataclasses import replace

from registry.catalog import Catalog, Changes, Service, differences, join
from registry.model import Contract, Endpoint, InstanceId, Revision, ServiceName, ServicePort

CART = ServiceName(namespace="shop", name="cart")
TILL = ServiceName(namespace="shop", name="till")


def service(name: ServiceName, *instances: str, owner: str = "") -> Service:
    endpoints = [Endpoint(instance=InstanceId(each), address="10.0.0.1", ports={}) for each in instances]
    return Service(
        name=name,
        ports=(ServicePort(name="http", port=80),),
        contract=Contract(owner=owner),
        endpoints=tuple(endpoints),
        conflicts=(),
        registered={},
    )


def catalog(*services: Service) -> Catalog:
    return Catalog(services={each.name: each for each in services}, revision=Revision(3))


def test_services_of_both_are_shown_sorted_by_name() -> None:
    joined = join(catalog(service(TILL, "b")), {CART: service(CART, "a")})
    assert list(joined.services) == [CART, TILL]
    assert joined.revision == 3


def test_a_service_that_both_have_is_as_elsewhere_with_all_endpoints() -> None:
    joined = join(catalog(service(CART, "b", owner="us")), {CART: service(CART, "a", owner="them")})
    found = joined.services[CART]
    assert found.contract.owner == "them"
    assert [endpoint.instance for endpoint in found.endpoints] == ["a", "b"]


def test_nothing_elsewhere_changes_nothing() -> None:
    known = catalog(service(CART, "a"))
    assert join(known, {}) is known


def test_differences_tell_what_a_service_is_from_where_its_endpoints_are() -> None:
    before = {CART: service(CART, "a"), TILL: service(TILL, "b")}
    moved = {**before, CART: service(CART, "c")}
    assert differences(before, moved) == Changes(endpoints=frozenset({CART}))
    renamed = {**before, CART: replace(before[CART], contract=Contract(owner="x"))}
    assert differences(before, renamed) == Changes(services=frozenset({CART}))
    assert differences(before, before) == Changes()
    assert differences(before, {}) == Changes(
        services=frozenset({CART, TILL}), endpoints=frozenset({CART, TILL})
    )
