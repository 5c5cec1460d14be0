"""The server's half of discovery, one event at a time."""

from dataclasses import replace

from controlplane.discovery.subscription import (
    MAX_UNCONFIRMED,
    Acknowledgement,
    Nonce,
    Response,
    Stage,
    Subscription,
    acknowledge,
    begin,
    change,
    refusals,
    release,
    respond,
    settled_revision,
    subscribe,
)
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


def send(state: Subscription, desired: FakeDesired, nonce: str = "1") -> tuple[Subscription, Response]:
    state, response = respond(state, desired, Nonce(nonce))
    assert response is not None
    return state, response


def received(state: Subscription, nonce: str, desired: FakeDesired = WORLD) -> Subscription:
    return acknowledge(state, Acknowledgement(nonce=Nonce(nonce), stage=Stage.RECEIVED), desired)


def applied(
    state: Subscription, nonce: str, desired: FakeDesired = WORLD, *refused: ResourceName
) -> Subscription:
    rejections = tuple(
        Rejection(
            resource=name, version=Version(""), field_path="ports", reason="expected one port, found none"
        )
        for name in refused
    )
    ack = Acknowledgement(nonce=Nonce(nonce), stage=Stage.APPLIED, rejections=rejections)
    return acknowledge(state, ack, desired)


def settled(*wanted: ResourceName) -> Subscription:
    """A sidecar that asked for `wanted` and applies all of it."""
    state, _ = send(subscribe(begin({}), wanted, (), WORLD), WORLD, "first")
    return applied(state, "first")


def edited(
    state: Subscription, resource: ResourceName, version: Version | None, revision: int = 2
) -> Subscription:
    after = with_version(resource, version, revision=revision)
    return release(change(state, {resource}, after, revision - 1), {resource})


def test_sidecar_that_comes_back_is_as_far_behind_as_it_was() -> None:
    newer = replace(WORLD, revision=9)
    stale = subscribe(begin({MESH: B}, 4), [MESH], (), newer)
    assert settled_revision(stale, newer) == 4
    current = subscribe(begin({MESH: A}, 4), [MESH], (), newer)
    assert settled_revision(current, newer) == 9
    fresh = subscribe(begin({}), [MESH], (), newer)
    assert settled_revision(fresh, newer) == 9


def test_host_brings_its_outbound_and_endpoints_before_itself() -> None:
    state = subscribe(begin({}), [CART], (), WORLD)
    _, response = send(state, WORLD)
    assert list(response.resources) == [CART_ENDPOINTS, CART_OUTBOUND, CART]


def test_unknown_host_is_missing_and_sent_once_it_exists() -> None:
    empty = FakeDesired()
    state, response = send(subscribe(begin({}), [CART], (), empty), empty)
    assert response.missing == (CART,)
    state = applied(state, "1", empty)
    state = release(change(state, {CART, CART_OUTBOUND, CART_ENDPOINTS}, WORLD, 1), {CART})
    _, response = send(state, WORLD, "2")
    assert set(response.resources) == {CART, CART_OUTBOUND, CART_ENDPOINTS}


def test_asking_again_for_what_is_missing_is_answered_again() -> None:
    empty = FakeDesired()
    state, _ = send(subscribe(begin({}), [CART], (), empty), empty)
    state = subscribe(applied(state, "1", empty), [CART], (), empty)
    _, response = send(state, empty, "2")
    assert response.missing == (CART,)


def test_what_the_sidecar_holds_is_not_sent_again() -> None:
    state = subscribe(begin({MESH: A, INBOUND: B}), [MESH, INBOUND], (), WORLD)
    _, response = send(state, WORLD)
    assert response.resources == {INBOUND: A}


def test_what_the_sidecar_holds_and_is_gone_is_removed() -> None:
    state = subscribe(begin({MESH: A}), [MESH], (), FakeDesired())
    _, response = send(state, FakeDesired())
    assert response.removed == (MESH,)
    assert response.missing == ()


def test_nothing_is_sent_before_the_last_response_is_received() -> None:
    state, _ = send(subscribe(begin({}), [MESH], (), WORLD), WORLD)
    state = edited(state, MESH, B)
    state, response = respond(state, with_version(MESH, B), Nonce("2"))
    assert response is None
    _, response = send(received(state, "1"), with_version(MESH, B), "2")
    assert response.resources == {MESH: B}


def test_newer_version_replaces_an_unsent_one() -> None:
    state, _ = send(subscribe(begin({}), [MESH], (), WORLD), WORLD)
    state = edited(edited(state, MESH, B), MESH, C, 3)
    _, response = send(received(state, "1"), with_version(MESH, C, revision=3), "2")
    assert response.resources == {MESH: C}


def test_a_change_undone_before_it_was_sent_sends_nothing() -> None:
    state = edited(edited(settled(MESH), MESH, B), MESH, A, 3)
    _, response = respond(state, WORLD, Nonce("2"))
    assert response is None


def test_sidecar_that_applies_nothing_is_left_to_catch_up() -> None:
    state = subscribe(begin({}), [MESH], (), WORLD)
    for turn in range(MAX_UNCONFIRMED):
        desired = with_version(MESH, Version(str(turn)), revision=turn + 2)
        state = release(change(state, {MESH}, desired, turn + 1), {MESH})
        state, _ = send(state, desired, str(turn))
        state = received(state, str(turn), desired)
    last = with_version(MESH, C, revision=99)
    state = release(change(state, {MESH}, last, 98), {MESH})
    state, response = respond(state, last, Nonce("last"))
    assert response is None
    _, response = send(applied(state, "0", last), last, "last")
    assert response.resources == {MESH: C}


def test_rejected_version_is_not_sent_again_and_the_next_one_is() -> None:
    edit = with_version(MESH, B)
    state, _ = send(edited(settled(MESH), MESH, B), edit, "2")
    state = release(applied(state, "2", edit, MESH), {MESH})
    state, response = respond(state, edit, Nonce("3"))
    assert response is None
    assert [refusal.version for refusal in refusals(state, edit)] == [B]
    fix = with_version(MESH, C, revision=3)
    state, response = send(edited(state, MESH, C, 3), fix, "3")
    assert response.resources == {MESH: C}
    assert refusals(applied(state, "3", fix), fix) == ()


def test_rejection_of_one_resource_holds_up_no_other() -> None:
    state, _ = send(subscribe(begin({}), [MESH, INBOUND], (), WORLD), WORLD)
    state = applied(state, "1", WORLD, MESH)
    assert state.applied == {INBOUND: A}
    assert state.pending == {MESH}


def test_rejection_sent_with_received_outlives_the_applied_that_follows() -> None:
    state, _ = send(subscribe(begin({}), [MESH], (), WORLD), WORLD)
    refusal = Rejection(
        resource=MESH, version=A, field_path="", reason="expected MeshSettings, found garbage"
    )
    state = acknowledge(
        state, Acknowledgement(nonce=Nonce("1"), stage=Stage.RECEIVED, rejections=(refusal,)), WORLD
    )
    assert applied(state, "1").applied == {}


def test_stale_nonce_changes_nothing() -> None:
    state = settled(MESH)
    assert applied(state, "first") == state
    assert received(state, "never sent") == state


def test_applied_confirms_what_was_sent_before_it() -> None:
    state, _ = send(subscribe(begin({}), [MESH], (), WORLD), WORLD)
    state, _ = send(subscribe(received(state, "1"), [INBOUND], (), WORLD), WORLD, "2")
    state = applied(received(state, "2"), "2")
    assert state.applied == {MESH: A, INBOUND: A}
    assert not state.unconfirmed


def test_large_news_is_split_and_removals_come_last() -> None:
    gone = FakeDesired(revision=2, versions={MESH: B, INBOUND: B})
    state = change(settled(MESH, INBOUND, CART_OUTBOUND), {MESH, INBOUND, CART_OUTBOUND}, gone, 1)
    state = release(state, {MESH, INBOUND, CART_OUTBOUND})
    state, first = respond(state, gone, Nonce("1"), limit_bytes=1)
    assert first is not None
    assert (first.resources, first.removed, first.revision) == ({MESH: B}, (), 1)
    state, second = respond(received(state, "1", gone), gone, Nonce("2"), limit_bytes=1)
    assert second is not None
    assert (second.resources, second.removed, second.revision) == ({INBOUND: B}, (CART_OUTBOUND,), 2)


def test_service_that_vanishes_takes_its_host_first() -> None:
    empty = FakeDesired(revision=2)
    changed = {CART, CART_OUTBOUND, CART_ENDPOINTS}
    _, response = send(release(change(settled(CART), changed, empty, 1), changed), empty, "2")
    assert response.removed == (CART, CART_OUTBOUND, CART_ENDPOINTS)


def test_unsubscribed_host_takes_along_what_it_brought() -> None:
    state = subscribe(settled(CART, MESH), (), [CART], WORLD)
    assert state.wanted == {MESH}
    _, response = send(subscribe(state, [CART], (), WORLD), WORLD, "2")
    assert set(response.resources) == {CART, CART_OUTBOUND, CART_ENDPOINTS}


def test_outbound_asked_for_by_itself_stays_when_its_host_is_unsubscribed() -> None:
    state = subscribe(settled(CART, CART_OUTBOUND), (), [CART], WORLD)
    assert state.wanted == {CART_OUTBOUND}
    assert state.applied == {CART_OUTBOUND: A}


def test_revision_stays_at_the_last_one_applied_whole() -> None:
    state = settled(MESH)
    assert settled_revision(state, FakeDesired(revision=7, versions={MESH: A})) == 7
    edit = with_version(MESH, B, revision=8)
    state, _ = send(release(change(state, {MESH}, edit, 7), {MESH}), edit, "2")
    assert settled_revision(state, edit) == 7
    assert settled_revision(applied(state, "2", edit), edit) == 8


def test_change_of_what_is_not_wanted_changes_nothing() -> None:
    state = settled(MESH)
    assert edited(state, INBOUND, B) == settled(MESH)


def test_restarted_registry_takes_nothing_away_before_it_is_settled() -> None:
    held = {CART: A, CART_OUTBOUND: A, CART_ENDPOINTS: A}
    unsettled = FakeDesired(is_settled=False, versions={CART_ENDPOINTS: B, CART_OUTBOUND: B})
    state = subscribe(begin(held), held, (), unsettled)
    state, response = send(state, unsettled)
    assert (response.resources, response.removed) == ({CART_OUTBOUND: B}, ())
    settled = FakeDesired(versions=unsettled.versions)
    _, response = send(applied(state, "1", settled), settled, "2")
    assert (response.resources, response.removed) == ({CART_ENDPOINTS: B}, (CART,))


def test_registry_that_is_not_settled_still_tells_what_is_new() -> None:
    first = FakeDesired(is_settled=False, versions={CART_ENDPOINTS: A})
    state, _ = send(subscribe(begin({}), [CART_ENDPOINTS], (), first), first)
    second = FakeDesired(is_settled=False, versions={CART_ENDPOINTS: B})
    state = release(change(applied(state, "1", first), {CART_ENDPOINTS}, second, 1), {CART_ENDPOINTS})
    _, response = send(state, second, "2")
    assert response.resources == {CART_ENDPOINTS: B}
