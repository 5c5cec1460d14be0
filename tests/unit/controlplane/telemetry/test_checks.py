"""Health that sidecars share."""

from collections.abc import Mapping

from controlplane.model.health import Checked, EndpointPort, HealthShare, OthersHealth, Votes
from controlplane.telemetry.checks import WINDOW_NS, Checks
from registry.model import ServiceName

CART = ServiceName(namespace="shop", name="cart")
ONE, TWO = EndpointPort("cart-1", 80), EndpointPort("cart-2", 80)


def found(verdicts: Mapping[EndpointPort, bool], version: int = 0) -> Checked:
    return Checked(service=CART, version=version, verdicts=verdicts)


def reported(*verdicts: Mapping[EndpointPort, bool]) -> Checks:
    """Checks of sidecars 1, 2, ... that found this."""
    checks = Checks()
    for name, each in enumerate(verdicts, 1):
        checks.take(f"web-{name}", name, [found(each)], 0)
    return checks


def answer(
    checks: Checks, name: int, verdicts: Mapping[EndpointPort, bool], *shares: HealthShare
) -> OthersHealth:
    return checks.answer(name, found(verdicts), shares)


def test_a_sidecar_hears_what_the_others_found_without_its_own_verdict() -> None:
    checks = reported({ONE: False}, {ONE: True}, {ONE: False})
    assert answer(checks, 1, {ONE: False}).votes == {ONE: Votes(healthy=1, unhealthy=1)}
    assert answer(checks, 4, {}).votes == {ONE: Votes(healthy=1, unhealthy=2)}


def test_endpoints_that_nobody_found_unhealthy_are_not_told() -> None:
    checks = reported({ONE: True, TWO: True}, {ONE: True})
    assert answer(checks, 2, {ONE: True}).votes == {}


def test_whoever_alone_found_an_endpoint_unhealthy_hears_that_others_did_not() -> None:
    checks = reported({ONE: True}, {ONE: False})
    assert answer(checks, 2, {ONE: False}).votes == {ONE: Votes(healthy=1, unhealthy=0)}


def test_whoever_holds_an_endpoint_unhealthy_hears_of_it_though_nobody_does_any_more() -> None:
    checks = reported({ONE: True}, {})
    doubting = Checked(service=CART, doubted=frozenset({ONE, TWO}))
    assert checks.answer(2, doubting, ()).votes == {ONE: Votes(healthy=1), TWO: Votes()}


def test_a_verdict_replaces_the_one_before() -> None:
    checks = reported({ONE: False})
    checks.take("web-1", 1, [found({ONE: True, TWO: False})], 1)
    assert answer(checks, 2, {}).votes == {TWO: Votes(healthy=0, unhealthy=1)}
    checks.take("web-1", 1, [found({})], 2)
    assert checks.share(CART) == HealthShare(checkers=frozenset({1}))


def test_checkers_are_told_once_to_whoever_knows_their_version() -> None:
    checks = reported({}, {})
    told = answer(checks, 1, {})
    assert told.checkers == (1, 2)
    again = checks.answer(1, found({}, told.version), ())
    assert (again.version, again.checkers) == (told.version, ())
    checks.take("web-3", 3, [found({})], 0)
    assert checks.answer(1, found({}, told.version), ()).checkers == (1, 2, 3)


def test_versions_agree_on_every_replica() -> None:
    together = answer(reported({}, {}), 1, {})
    apart = answer(reported({}), 1, {}, HealthShare(checkers=frozenset({2})))
    assert (apart.version, apart.checkers) == (together.version, together.checkers)
    assert together.version != 0


def test_votes_are_added_up_over_replicas() -> None:
    elsewhere = HealthShare(
        checkers=frozenset({2, 3}), votes={ONE: Votes(healthy=0, unhealthy=2), TWO: Votes(healthy=1)}
    )
    told = answer(reported({ONE: True, TWO: True}), 1, {ONE: True, TWO: True}, elsewhere)
    assert told.votes == {ONE: Votes(healthy=0, unhealthy=2)}


def test_a_sidecar_that_left_checks_nothing_any_more() -> None:
    checks = reported({ONE: False})
    checks.leave("web-1", [CART], 1)
    assert checks.share(CART).votes
    checks.leave("web-1", [CART], 0)
    assert checks.share(CART) == HealthShare()
    assert checks.revisions() == {}


def test_a_sidecar_that_is_silent_checks_nothing_any_more() -> None:
    checks = reported({ONE: False})
    checks.forget(WINDOW_NS)
    assert checks.share(CART).votes
    checks.forget(WINDOW_NS + 1)
    assert checks.share(CART) == HealthShare()


def test_revisions_grow_only_with_what_is_known() -> None:
    checks = reported({ONE: True})
    before = checks.revisions()
    checks.take("web-1", 1, [found({ONE: True})], 1)
    assert checks.revisions() == before
    checks.take("web-1", 1, [found({ONE: False})], 2)
    assert checks.revisions()[CART] > before[CART]
