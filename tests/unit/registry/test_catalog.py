"""The catalogue: what registrations add up to, and what each event changed."""

from dataclasses import replace

from registry.catalog import Catalog, Changes, Registered, Removed, apply
from registry.model import (
    Conflict,
    Contract,
    Health,
    InstanceId,
    Protocol,
    Registration,
    Revision,
    ServiceName,
    ServicePort,
)
from tests.support.registrations import CART, HTTP, registration

PAYMENTS = ServiceName(namespace="shop", name="payments")
EMPTY = Catalog(revision=Revision(0))
BOTH = Changes(services=frozenset({CART}), endpoints=frozenset({CART}))


def registered(revision: int, what: Registration, *, entered: int = 0) -> Registered:
    return Registered(registration=what, revision=Revision(revision), entered=Revision(entered or revision))


def removed(revision: int, instance: str, service: ServiceName = CART) -> Removed:
    return Removed(service=service, instance=InstanceId(instance), revision=Revision(revision))


def test_first_instance_makes_the_service() -> None:
    catalog, changes = apply(EMPTY, [registered(1, registration())])

    assert catalog.services[CART].endpoints == (registration().endpoint,)
    assert catalog.revision == 1
    assert changes == BOTH


def test_second_instance_changes_endpoints_alone() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration("b"))])
    catalog, changes = apply(catalog, [registered(2, registration("a"))])

    assert [endpoint.instance for endpoint in catalog.services[CART].endpoints] == ["a", "b"]
    assert changes == Changes(endpoints=frozenset({CART}))


def test_last_instance_takes_the_service_with_it() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration("a"))])
    catalog, changes = apply(catalog, [removed(2, "a")])

    assert catalog == Catalog(revision=Revision(2))
    assert changes == BOTH


def test_registering_again_with_the_same_content_changes_nothing() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration())])
    again, changes = apply(catalog, [registered(2, registration())])

    assert again.services[CART].endpoints == catalog.services[CART].endpoints
    assert not changes


def test_instance_that_leaves_and_returns_within_a_batch_changes_nothing() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration("a"))])
    _, changes = apply(catalog, [removed(2, "a"), registered(3, registration("a"))])

    assert not changes


def test_registering_again_elsewhere_replaces_the_endpoint_in_place() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration())])
    catalog, changes = apply(catalog, [registered(2, registration(address="10.0.0.7"))])

    assert [endpoint.address for endpoint in catalog.services[CART].endpoints] == ["10.0.0.7"]
    assert changes == Changes(endpoints=frozenset({CART}))


def test_removing_who_is_not_there_changes_nothing() -> None:
    catalog, changes = apply(EMPTY, [removed(1, "nobody")])

    assert catalog == Catalog(revision=Revision(1))
    assert not changes


def test_services_are_sorted_whatever_the_order_of_arrival() -> None:
    catalog, _ = apply(EMPTY, [registered(1, registration(service=PAYMENTS))])
    catalog, _ = apply(catalog, [registered(2, registration())])

    assert list(catalog.services) == [CART, PAYMENTS]


def test_newest_contract_wins_and_the_others_are_reported() -> None:
    old, new = Contract(version="1"), Contract(version="2")
    catalog, _ = apply(EMPTY, [registered(1, registration("a", contract=old))])
    catalog, changes = apply(catalog, [registered(2, registration("b", contract=new))])
    service = catalog.services[CART]

    assert service.contract == new
    assert service.conflicts == (
        Conflict(field="contract", winner=InstanceId("b"), losers=(InstanceId("a"),)),
    )
    assert changes == BOTH


def test_instance_that_promises_nothing_disputes_no_contract() -> None:
    contract = Contract(owner="team-cart")
    catalog, _ = apply(EMPTY, [registered(1, registration("a", contract=contract))])
    catalog, _ = apply(catalog, [registered(2, registration("b"))])

    assert catalog.services[CART].contract == contract
    assert catalog.services[CART].conflicts == ()


def test_contract_of_the_one_who_stays_returns_when_the_newest_leaves() -> None:
    old, new = Contract(version="1"), Contract(version="2")
    catalog, _ = apply(
        EMPTY,
        [registered(1, registration("a", contract=old)), registered(2, registration("b", contract=new))],
    )
    catalog, _ = apply(catalog, [removed(3, "b")])

    assert catalog.services[CART].contract == old
    assert catalog.services[CART].conflicts == ()


def test_ports_are_those_of_all_instances_sorted_by_number() -> None:
    metrics = ServicePort(name="metrics", port=9090)
    catalog, _ = apply(EMPTY, [registered(1, registration("a", ports=(metrics,)))])
    catalog, _ = apply(catalog, [registered(2, registration("b", ports=(HTTP,)))])

    assert catalog.services[CART].ports == (HTTP, metrics)
    assert catalog.services[CART].conflicts == ()


def test_newest_definition_of_a_port_wins() -> None:
    grpc = ServicePort(name="http", port=80, protocol=Protocol.GRPC)
    catalog, _ = apply(EMPTY, [registered(1, registration("a"))])
    catalog, _ = apply(catalog, [registered(2, registration("b", ports=(grpc,)))])

    assert catalog.services[CART].ports == (grpc,)
    assert catalog.services[CART].conflicts == (
        Conflict(field="ports.http", winner=InstanceId("b"), losers=(InstanceId("a"),)),
    )


def test_newest_owner_of_a_port_number_wins() -> None:
    web = ServicePort(name="web", port=80)
    catalog, _ = apply(EMPTY, [registered(1, registration("a"))])
    catalog, _ = apply(catalog, [registered(2, registration("b", ports=(web,)))])

    assert catalog.services[CART].ports == (web,)
    assert catalog.services[CART].conflicts == (
        Conflict(field="ports.web", winner=InstanceId("b"), losers=(InstanceId("a"),)),
    )


def test_a_verdict_changes_endpoints_and_not_who_is_newest() -> None:
    old, new = (registration(name, contract=Contract(version=name)) for name in ("a", "b"))
    catalog, _ = apply(EMPTY, [registered(1, old), registered(2, new)])
    unfit = replace(old, endpoint=replace(old.endpoint, health=Health.UNHEALTHY))
    catalog, changes = apply(catalog, [registered(3, unfit, entered=1)])

    assert changes == Changes(endpoints=frozenset({CART}))
    assert [endpoint.health for endpoint in catalog.services[CART].endpoints] == [
        Health.UNHEALTHY,
        Health.HEALTHY,
    ]
    assert catalog.services[CART].contract == Contract(version="b")
