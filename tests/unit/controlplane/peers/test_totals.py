"""Sidecars, policies and events of several replicas, each counted once."""

from datetime import UTC, datetime

from controlplane.model.document import ObjectKey
from controlplane.model.event import Event
from controlplane.model.replica import ConvergenceShare
from controlplane.model.sidecar import PolicyConvergence, Refusal, SidecarState
from controlplane.peers.totals import convergence, distinct, newest
from tests.support.sidecars import CART, placed, sidecar

POLICY = ObjectKey(kind="ResiliencePolicy", namespace="shop", name="cart")
OFFLINE = SidecarState.OFFLINE


def test_connected_sidecar_wins_over_the_memory_of_it() -> None:
    memory = placed(sidecar("cart-0", state=OFFLINE, age_seconds=0.1), at="one")
    live = placed(sidecar("cart-0", age_seconds=60), at="two")
    for order in ([memory, live], [live, memory]):
        [one] = distinct(order)
        assert one.replica.name == "two"


def test_newer_stream_wins_over_one_that_nobody_has_seen_break() -> None:
    older = placed(sidecar("cart-0", age_seconds=60), at="one")
    newer = placed(sidecar("cart-0", age_seconds=1), at="two")
    [one] = distinct([older, newer])
    assert one.replica.name == "two"


def test_newest_memory_of_a_sidecar_that_is_gone_is_kept() -> None:
    older = placed(sidecar("cart-0", state=OFFLINE, age_seconds=60), at="one")
    newer = placed(sidecar("cart-0", state=OFFLINE, age_seconds=1), at="two")
    [one] = distinct([newer, older])
    assert one.replica.name == "two"


def test_sidecars_of_all_replicas_are_sorted() -> None:
    found = distinct([placed(sidecar("cart-1")), placed(sidecar("cart-0"), at="two")])
    assert [one.attached.status.hello.instance for one in found] == ["cart-0", "cart-1"]


def test_memory_is_shown_though_it_was_reported_to_another_replica() -> None:
    memory = placed(sidecar("cart-0", state=OFFLINE), at="one", resident_bytes=12)
    [one] = distinct([memory, placed(sidecar("cart-0"), at="two")])
    assert one.attached.resident_bytes == 12


def share(targeted: int, applied: int, rejected: int = 0, *, revision: int = 7) -> ConvergenceShare:
    counts = PolicyConvergence(targeted=targeted, applied=applied, rejected=rejected)
    return ConvergenceShare(revision=revision, policies={POLICY: counts})


def test_sidecars_of_all_replicas_are_counted() -> None:
    counted = convergence([share(20, 20), share(21, 20, 1)], lambda _: 7)
    assert counted == {POLICY: PolicyConvergence(targeted=41, applied=40, rejected=1)}


def test_sidecars_that_refused_are_named_in_order_whichever_replica_serves_them() -> None:
    def refused(*names: str) -> ConvergenceShare:
        refusals = tuple(Refusal(instance=name, reason="no") for name in names)
        counts = PolicyConvergence(targeted=9, rejected=len(names), refusals=refusals)
        return ConvergenceShare(revision=7, policies={POLICY: counts})

    counted = convergence([refused("b", "d"), refused("a", "c")], lambda _: 7)[POLICY]
    assert [one.instance for one in counted.refusals] == ["a", "b", "c"]
    assert counted.rejected == 4
    assert convergence([refused("b")], lambda _: 8)[POLICY].refusals == ()


def test_replica_that_has_not_seen_a_policy_yet_has_no_sidecar_that_applies_it() -> None:
    counted = convergence([share(20, 20), share(21, 21, revision=6)], lambda _: 7)
    assert counted == {POLICY: PolicyConvergence(targeted=41, applied=20)}


def event(second: int, instance: str = "cart-0") -> Event:
    at = datetime.fromtimestamp(second, UTC)
    return Event(instance=instance, at=at, kind="breaker", service=CART)


def test_newest_events_of_all_are_shown_in_order_each_once() -> None:
    assert newest([event(3), event(1), event(2), event(3)], 2) == (event(2), event(3))
