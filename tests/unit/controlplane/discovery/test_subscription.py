"""The server's half of discovery, one event at a time."""

from collections.abc import Iterable
from copy import copy
from dataclasses import replace

import pytest

from controlplane.discovery import subscription
from controlplane.discovery.exchange import Acknowledgement, Nonce, Response, Stage
from controlplane.discovery.subscription import MAX_UNCONFIRMED, Shift, Subscription
from controlplane.model.resource import ResourceName, ResourceType, Version
from controlplane.model.sidecar import Rejection
from tests.support.desired import FakeDesired, endpoints, host, outbound

A, B, C = Version("a"), Version("b"), Version("c")
MESH = ResourceName(ResourceType.MESH, "default")
INBOUND = ResourceName(ResourceType.INBOUND, "shop/web")
CART = host("cart.shop")
CART_OUTBOUND = outbound("shop/cart")
CART_ENDPOINTS = endpoints("shop/cart")
WORLD = FakeDesired(
    versions={MESH: A, INBOUND: A, CART: A, CART_OUTBOUND: A, CART_ENDPOINTS: A},
    services={CART: "shop/cart"},
)


def with_version(resource: ResourceName, version: Version | None, *, revision: int = 2) -> FakeDesired:
    versions = {**WORLD.versions, resource: version}
    kept = {name: value for name, value in versions.items() if value is not None}
    services = WORLD.services if CART in kept else {}
    return FakeDesired(revision=revision, versions=kept, services=services)


def begin(
    held: dict[ResourceName, Version],
    wanted: Iterable[ResourceName] = (),
    desired: FakeDesired = WORLD,
    revision: int = 0,
) -> Subscription:
    """A new stream of a sidecar that holds `held`, all current at `revision`, and asks for `wanted`."""
    state = Subscription(held, revision)
    state.subscribe(wanted, (), desired)
    return state


def send(state: Subscription, desired: FakeDesired, nonce: str = "1") -> Response:
    response = state.respond(desired, Nonce(nonce))
    assert response is not None
    return response


def received(state: Subscription, nonce: str, desired: FakeDesired = WORLD) -> None:
    state.acknowledge(Acknowledgement(nonce=Nonce(nonce), stage=Stage.RECEIVED), desired)


def applied(state: Subscription, nonce: str, desired: FakeDesired = WORLD, *refused: ResourceName) -> None:
    rejections = tuple(
        Rejection(
            resource=name, version=Version(""), field_path="ports", reason="expected one port, found none"
        )
        for name in refused
    )
    ack = Acknowledgement(nonce=Nonce(nonce), stage=Stage.APPLIED, rejections=rejections)
    state.acknowledge(ack, desired)


def settled(*wanted: ResourceName) -> Subscription:
    """A sidecar that asked for `wanted` and applies all of it."""
    state = begin({}, wanted)
    send(state, WORLD, "first")
    applied(state, "first")
    return state


def publish(
    state: Subscription, changed: Iterable[ResourceName], desired: FakeDesired, *, held_back: bool = False
) -> None:
    """Offer `desired`, the successor of the revision before it."""
    changed = set(changed)
    state.change(changed, desired, desired.revision - 1)
    if not held_back:
        state.release(changed)


def edit(
    state: Subscription, resource: ResourceName, version: Version | None, revision: int = 2
) -> FakeDesired:
    desired = with_version(resource, version, revision=revision)
    publish(state, {resource}, desired)
    return desired


def facts(state: Subscription) -> dict[str, object]:
    return {name: copy(getattr(state, name)) for name in Subscription.__slots__}


def test_sidecar_that_comes_back_is_as_far_behind_as_it_was() -> None:
    newer = replace(WORLD, revision=9)
    assert begin({MESH: B}, [MESH], newer, 4).settled_revision(newer) == 4
    assert begin({MESH: A}, [MESH], newer, 4).settled_revision(newer) == 9
    assert begin({}, [MESH], newer).settled_revision(newer) == 9


def test_host_brings_its_outbound_and_endpoints_before_itself() -> None:
    response = send(begin({}, [CART]), WORLD)
    assert list(response.resources) == [CART_ENDPOINTS, CART_OUTBOUND, CART]


def test_unknown_host_is_missing_and_sent_once_it_exists() -> None:
    empty = FakeDesired()
    state = begin({}, [CART], empty)
    assert send(state, empty).missing == (CART,)
    applied(state, "1", empty)
    state.change({CART, CART_OUTBOUND, CART_ENDPOINTS}, WORLD, 1)
    state.release({CART})
    assert set(send(state, WORLD, "2").resources) == {CART, CART_OUTBOUND, CART_ENDPOINTS}


def test_names_that_a_host_brings_are_told_to_whoever_keeps_an_index() -> None:
    state = begin({}, [CART], FakeDesired())
    shift = state.change({CART}, WORLD, 1)
    assert shift.wanted == {CART_OUTBOUND, CART_ENDPOINTS}
    assert state.subscribe((), [CART], WORLD).unwanted == {CART, CART_OUTBOUND, CART_ENDPOINTS}


def test_asking_again_for_what_is_missing_is_answered_again() -> None:
    empty = FakeDesired()
    state = begin({}, [CART], empty)
    send(state, empty)
    applied(state, "1", empty)
    state.subscribe([CART], (), empty)
    assert send(state, empty, "2").missing == (CART,)


def test_what_the_sidecar_holds_is_not_sent_again() -> None:
    state = begin({MESH: A, INBOUND: B}, [MESH, INBOUND])
    assert send(state, WORLD).resources == {INBOUND: A}


def test_what_the_sidecar_holds_and_is_gone_is_removed() -> None:
    empty = FakeDesired()
    response = send(begin({MESH: A}, [MESH], empty), empty)
    assert response.removed == (MESH,)
    assert response.missing == ()


def test_nothing_is_sent_before_the_last_response_is_received() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    desired = edit(state, MESH, B)
    assert state.respond(desired, Nonce("2")) is None
    received(state, "1")
    assert send(state, desired, "2").resources == {MESH: B}


def test_applied_without_received_lets_the_next_response_go() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    desired = edit(state, MESH, B)
    applied(state, "1", desired)
    assert send(state, desired, "2").resources == {MESH: B}


def test_newer_version_replaces_an_unsent_one() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    edit(state, MESH, B)
    desired = edit(state, MESH, C, 3)
    received(state, "1")
    assert send(state, desired, "2").resources == {MESH: C}


def test_a_change_undone_before_it_was_sent_sends_nothing() -> None:
    state = settled(MESH)
    edit(state, MESH, B)
    edit(state, MESH, A, 3)
    assert state.respond(WORLD, Nonce("2")) is None
    assert not state.pending


def test_change_that_is_held_back_is_pending_and_not_sent() -> None:
    state = settled(MESH)
    desired = with_version(MESH, B)
    publish(state, {MESH}, desired, held_back=True)
    assert state.pending.keys() == {MESH}
    assert state.respond(desired, Nonce("2")) is None


def test_sidecar_that_applies_nothing_is_left_to_catch_up() -> None:
    state = begin({}, [MESH])
    for turn in range(MAX_UNCONFIRMED):
        desired = edit(state, MESH, Version(str(turn)), turn + 2)
        send(state, desired, str(turn))
        received(state, str(turn), desired)
    last = edit(state, MESH, C, 99)
    assert state.respond(last, Nonce("last")) is None
    applied(state, "0", last)
    assert send(state, last, "last").resources == {MESH: C}


def test_rejected_version_is_not_sent_again_and_the_next_one_is() -> None:
    state = settled(MESH)
    bad = edit(state, MESH, B)
    send(state, bad, "2")
    applied(state, "2", bad, MESH)
    state.release({MESH})
    assert state.respond(bad, Nonce("3")) is None
    assert [refusal.version for refusal in state.refusals(bad)] == [B]
    good = edit(state, MESH, C, 3)
    assert send(state, good, "3").resources == {MESH: C}
    applied(state, "3", good)
    assert state.refusals(good) == ()


def test_rejection_of_one_resource_holds_up_no_other() -> None:
    state = begin({}, [MESH, INBOUND])
    send(state, WORLD)
    applied(state, "1", WORLD, MESH)
    assert state.applied == {INBOUND: A, MESH: None}
    assert state.pending.keys() == {MESH}


def test_rejection_sent_with_received_outlives_the_applied_that_follows() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    refusal = Rejection(
        resource=MESH, version=A, field_path="", reason="expected MeshSettings, found garbage"
    )
    ack = Acknowledgement(nonce=Nonce("1"), stage=Stage.RECEIVED, rejections=(refusal,))
    state.acknowledge(ack, WORLD)
    applied(state, "1")
    assert state.applied == {MESH: None}


def test_stale_nonce_changes_nothing() -> None:
    state = settled(MESH)
    before = facts(state)
    applied(state, "first")
    received(state, "never sent")
    assert facts(state) == before


def test_applied_confirms_what_was_sent_before_it() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    received(state, "1")
    state.subscribe([INBOUND], (), WORLD)
    send(state, WORLD, "2")
    received(state, "2")
    applied(state, "2")
    assert state.applied == {MESH: A, INBOUND: A}
    assert not state.unconfirmed


def test_large_news_is_split_and_removals_come_last() -> None:
    gone = FakeDesired(revision=2, versions={MESH: B, INBOUND: B})
    state = settled(MESH, INBOUND, CART_OUTBOUND)
    publish(state, {MESH, INBOUND, CART_OUTBOUND}, gone)
    first = state.respond(gone, Nonce("1"), limit_bytes=1)
    assert first is not None
    assert (first.resources, first.removed, first.revision) == ({MESH: B}, (), 1)
    received(state, "1", gone)
    second = state.respond(gone, Nonce("2"), limit_bytes=1)
    assert second is not None
    assert (second.resources, second.removed, second.revision) == ({INBOUND: B}, (CART_OUTBOUND,), 2)


def test_service_that_vanishes_takes_its_host_first() -> None:
    state = settled(CART)
    empty = FakeDesired(revision=2)
    publish(state, {CART, CART_OUTBOUND, CART_ENDPOINTS}, empty)
    assert send(state, empty, "2").removed == (CART, CART_OUTBOUND, CART_ENDPOINTS)


def test_unsubscribed_host_takes_along_what_it_brought() -> None:
    state = settled(CART, MESH)
    state.subscribe((), [CART], WORLD)
    assert state.applied == {MESH: A}
    state.subscribe([CART], (), WORLD)
    assert set(send(state, WORLD, "2").resources) == {CART, CART_OUTBOUND, CART_ENDPOINTS}


def test_name_that_is_given_up_and_wanted_again_at_once_is_sent_whole() -> None:
    state = settled(MESH)
    shift = state.subscribe([MESH], [MESH], WORLD)
    assert shift == Shift()
    assert send(state, WORLD, "2").resources == {MESH: A}


def test_acknowledgement_says_nothing_about_what_was_given_up_before_it() -> None:
    state = begin({}, [MESH])
    send(state, WORLD)
    state.subscribe([MESH], [MESH], WORLD)
    applied(state, "1")
    assert state.applied == {MESH: None}
    assert send(state, WORLD, "2").resources == {MESH: A}


def test_outbound_asked_for_by_itself_stays_when_its_host_is_unsubscribed() -> None:
    state = settled(CART, CART_OUTBOUND)
    state.subscribe((), [CART], WORLD)
    assert state.applied == {CART_OUTBOUND: A}


def test_revision_stays_at_the_last_one_applied_whole() -> None:
    state = settled(MESH)
    assert state.settled_revision(FakeDesired(revision=7, versions={MESH: A})) == 7
    desired = edit(state, MESH, B, 8)
    send(state, desired, "2")
    assert state.settled_revision(desired) == 7
    applied(state, "2", desired)
    assert state.settled_revision(desired) == 8


def test_change_of_what_is_not_wanted_changes_nothing() -> None:
    state = settled(MESH)
    before = facts(state)
    edit(state, INBOUND, B)
    assert facts(state) == before


def test_restarted_registry_takes_nothing_away_before_it_is_settled() -> None:
    held = {CART: A, CART_OUTBOUND: A, CART_ENDPOINTS: A}
    unsettled = FakeDesired(is_settled=False, versions={CART_ENDPOINTS: B, CART_OUTBOUND: B})
    state = begin(held, held, unsettled)
    response = send(state, unsettled)
    assert (response.resources, response.removed) == ({CART_OUTBOUND: B}, ())
    settled = FakeDesired(versions=unsettled.versions)
    applied(state, "1", settled)
    response = send(state, settled, "2")
    assert (response.resources, response.removed) == ({CART_ENDPOINTS: B}, (CART,))


def test_endpoints_that_a_document_lists_are_told_before_the_registry_is_settled() -> None:
    versions = {CART_ENDPOINTS: B, CART_OUTBOUND: B}
    unsettled = FakeDesired(is_settled=False, versions=versions, listed=frozenset({CART_ENDPOINTS}))
    held = {CART_ENDPOINTS: A, CART_OUTBOUND: A}
    assert send(begin(held, held, unsettled), unsettled).resources == versions


def test_registry_that_is_not_settled_still_tells_what_is_new() -> None:
    first = FakeDesired(is_settled=False, versions={CART_ENDPOINTS: A})
    state = begin({}, [CART_ENDPOINTS], first)
    send(state, first)
    applied(state, "1", first)
    second = FakeDesired(revision=2, is_settled=False, versions={CART_ENDPOINTS: B})
    publish(state, {CART_ENDPOINTS}, second)
    assert send(state, second, "2").resources == {CART_ENDPOINTS: B}


def test_nothing_of_what_was_carried_is_remembered_once_it_may_go() -> None:
    state = begin({MESH: A, INBOUND: A}, [MESH, INBOUND])
    edit(state, MESH, B)
    send(state, with_version(MESH, B))
    assert not state.carried


def test_resource_that_is_too_large_counts_as_refused_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscription, "RESOURCE_BYTES", 3)
    world = with_version(CART_ENDPOINTS, Version("long"))
    state = begin({}, [MESH, CART], world)
    assert send(state, world).resources.keys() == {MESH, CART_OUTBOUND, CART}
    applied(state, "1", world)
    (refusal,) = state.refusals(world)
    assert (refusal.resource, refusal.reason) == (CART_ENDPOINTS, "expected at most 3 bytes, found 4")
    smaller = with_version(CART_ENDPOINTS, B, revision=3)
    publish(state, [CART_ENDPOINTS], smaller)
    assert send(state, smaller, "2").resources == {CART_ENDPOINTS: B}
    applied(state, "2", smaller)
    assert (state.refusals(smaller), state.settled_revision(smaller)) == ((), 3)
