"""Who leads, by a Lease."""

from datetime import UTC, datetime

from controlplane.kubernetes.lease import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Lease,
    LeaseSpec,
    Seen,
    Step,
    encode,
    held,
    is_leading,
    released,
    see,
    step,
)
from controlplane.kubernetes.objects import Meta

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND_NS = 1_000_000_000


def lease(holder: str | None, version: str = "1") -> Lease:
    return Lease(metadata=Meta(resource_version=version), spec=LeaseSpec(holder_identity=holder))


def test_a_lease_that_is_not_there_is_created_and_one_that_nobody_holds_is_taken() -> None:
    assert step(None, "a", Seen(), 0) is Step.CREATE
    assert step(lease(""), "a", Seen(version="1", since_ns=0), 0) is Step.TAKE
    assert step(lease(None), "a", Seen(version="1", since_ns=0), 0) is Step.TAKE


def test_the_holder_renews() -> None:
    assert step(lease("a"), "a", Seen(version="1", since_ns=0), 0) is Step.RENEW


def test_another_waits_until_the_record_has_not_changed_for_as_long_as_a_lease() -> None:
    seen = see(Seen(), lease("a"), 0)
    almost, over = LEASE_SECONDS * SECOND_NS - 1, LEASE_SECONDS * SECOND_NS
    assert step(lease("a"), "b", see(seen, lease("a"), almost), almost) is Step.WAIT
    assert step(lease("a"), "b", see(seen, lease("a"), over), over) is Step.TAKE
    renewed = see(seen, lease("a", version="2"), almost)
    assert step(lease("a", version="2"), "b", renewed, over) is Step.WAIT


def test_a_leader_stops_well_before_another_begins() -> None:
    assert RENEW_SECONDS < LEASE_SECONDS
    assert is_leading(0, RENEW_SECONDS * SECOND_NS - 1)
    assert not is_leading(0, RENEW_SECONDS * SECOND_NS)
    assert not is_leading(None, 0)


def test_a_lead_that_is_taken_over_is_counted_and_one_that_is_renewed_is_not() -> None:
    first = held(None, "a", NOW)
    assert (first.holder_identity, first.lease_transitions) == ("a", 0)
    taken = held(Lease(metadata=Meta(), spec=first), "b", NOW)
    assert (taken.holder_identity, taken.lease_transitions) == ("b", 1)
    assert held(Lease(metadata=Meta(), spec=taken), "b", NOW).lease_transitions == 1


def test_a_lead_that_is_given_up_is_free_at_once() -> None:
    spec = released(Lease(metadata=Meta(), spec=held(None, "a", NOW)), NOW)
    assert step(Lease(metadata=Meta(), spec=spec), "b", Seen(), 0) is Step.TAKE


def test_instants_are_written_to_the_microsecond_even_if_they_are_whole() -> None:
    assert encode(held(None, "a", NOW))["renewTime"] == "2026-11-25T12:00:00.000000Z"
