"""Statuses: what they should be, and when they are written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from controlplane.kubernetes.codec import decode
from controlplane.kubernetes.due import COUNTS_SECONDS, PENDING_SECONDS, is_due
from controlplane.kubernetes.objects import Custom, Meta
from controlplane.kubernetes.plan import Plan
from controlplane.kubernetes.reconcile import View, reconcile
from controlplane.kubernetes.status import Condition, Status, decode_status, encode_status, news
from controlplane.model.document import ObjectKey
from controlplane.model.sidecar import PolicyConvergence
from controlplane.sources.desired import Desired, settle
from controlplane.sources.source import Reading
from tests.support.builders import SCHEMA, read, service, snapshot

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAME = ObjectKey("ResiliencePolicy", "shop", "cart")
CART = {"targetRefs": [{"kind": "Service", "name": "cart"}]}
SECOND_NS = 1_000_000_000


def custom(spec: object, generation: int = 1, status: Status | None = None) -> Custom:
    return Custom(
        metadata=Meta(name="cart", namespace="shop", uid="u", generation=generation, creation_timestamp=NOW),
        spec=msgspec.Raw(msgspec.json.encode(spec)),
        status=msgspec.Raw(msgspec.json.encode(status or Status())),
    )


def reading(*objects: tuple[str, Custom]) -> Reading:
    units = {f"{kind} shop/cart": decode(SCHEMA.kinds[kind], one, SCHEMA) for kind, one in objects}
    return Reading(source="kubernetes", units=units, position=1)


def view(*readings: Reading, convergence: PolicyConvergence | None = None) -> View:
    found = Desired()
    for each in readings:
        found = settle(found, [each])
    return View(
        desired=found,
        snapshot=snapshot(found.documents.values(), [service()]),
        convergence={NAME: convergence} if convergence else {},
        revision_of=lambda _: 7,
    )


def verdicts(status: Status | None) -> dict[str, tuple[str, str]]:
    assert status is not None
    return dict(status.verdicts)


def message(status: Status | None, kind: str = "Accepted") -> str:
    assert status is not None
    condition = status.find(kind)
    assert condition is not None
    return condition.message


def test_a_policy_in_force_counts_its_sidecars() -> None:
    sound = custom({**CART, "timeouts": {"request": "1s"}}, generation=4)
    counts = PolicyConvergence(targeted=41, applied=40)
    status = reconcile(view(reading(("ResiliencePolicy", sound)), convergence=counts), NAME, sound)
    assert verdicts(status) == {
        "Accepted": ("True", "Accepted"),
        "Programmed": ("True", "Programmed"),
        "Synced": ("False", "Pending"),
    }
    assert status is not None
    assert (status.synced, status.observed_generation) == ("40/41", 4)
    [ancestor] = status.ancestors
    assert (ancestor.ancestor_ref.kind, ancestor.ancestor_ref.name) == ("Service", "cart")
    assert ancestor.sidecars is not None
    assert (ancestor.sidecars.pending, ancestor.sidecars.revision) == (1, "r7")


def test_a_policy_that_cannot_be_read_says_where_and_the_version_before_stays() -> None:
    sound, broken = (
        custom(CART | {"timeouts": {}}),
        custom(CART | {"retry": {"attempts": "many"}}, generation=2),
    )
    seen = view(reading(("ResiliencePolicy", sound)), reading(("ResiliencePolicy", broken)))
    status = reconcile(seen, NAME, broken)
    assert verdicts(status)["Accepted"] == ("False", "Invalid")
    assert verdicts(status)["Programmed"] == ("True", "Programmed")
    assert message(status).startswith("spec.retry.attempts: expected an integer")
    assert message(status).endswith("generation 1 stays in force")


def test_a_policy_that_was_never_sound_is_not_programmed() -> None:
    broken = custom({"targetRefs": []})
    assert verdicts(reconcile(view(reading(("ResiliencePolicy", broken))), NAME, broken)) == {
        "Accepted": ("False", "Invalid"),
        "Programmed": ("False", "Invalid"),
        "Synced": ("False", "NoSidecars"),
    }


def test_a_reference_into_another_namespace_is_not_permitted() -> None:
    crossing = custom(
        {
            "targetRefs": [{"kind": "Service", "name": "till", "namespace": "bank"}],
            "limits": [{"name": "a", "requests": 1, "per": "1s"}],
        }
    )
    name = NAME._replace(kind="RateLimitPolicy")
    status = reconcile(view(reading(("RateLimitPolicy", crossing))), name, crossing)
    assert verdicts(status)["Accepted"] == ("False", "RefNotPermitted")
    assert message(status).startswith("spec.targetRefs[0]: ")


def test_an_object_that_a_file_defines_already_is_in_conflict() -> None:
    file = read(
        """
        apiVersion: breakwater.dev/v1alpha1
        kind: ResiliencePolicy
        metadata: {name: cart, namespace: shop}
        spec: {targetRefs: [{kind: Service, name: cart}], timeouts: {}}
        """,
        "a.yaml",
    )
    mine = custom(CART | {"timeouts": {}})
    first = Reading(source="/policies", units={"a.yaml": file}, position=1)
    status = reconcile(view(first, reading(("ResiliencePolicy", mine))), NAME, mine)
    assert verdicts(status)["Accepted"] == ("False", "Conflicted")


def test_nothing_is_said_of_a_generation_that_sidecars_are_not_offered_yet() -> None:
    before, after = custom(CART | {"timeouts": {}}), custom(CART | {"timeouts": {}}, generation=2)
    seen = view(reading(("ResiliencePolicy", before)))
    assert reconcile(seen, NAME, after) is None
    later = settle(seen.desired, [reading(("ResiliencePolicy", after))])
    assert reconcile(replace(seen, desired=later), NAME, after) is None


def status_of(accepted: str, synced: str, *, counts: str = "1/1", generation: int = 1) -> Status:
    return Status(
        observed_generation=generation,
        synced=counts,
        conditions=(
            Condition(type="Accepted", status=accepted, reason=f"Accepted{accepted}"),
            Condition(type="Synced", status="True" if synced == "Synced" else "False", reason=synced),
        ),
    )


def test_an_instant_changes_only_with_the_status_of_its_condition() -> None:
    first = status_of("True", "Pending").after(Status(), NOW)
    later = NOW + timedelta(hours=1)
    second = status_of("True", "Synced").after(first, later)
    assert [each.last_transition_time for each in second.conditions] == [NOW, later]
    assert status_of("True", "Synced").after(second, later + timedelta(hours=1)) == second


def test_a_status_survives_the_way_through_the_api_server() -> None:
    sound = custom(CART | {"timeouts": {}})
    found = reconcile(view(reading(("ResiliencePolicy", sound))), NAME, sound)
    assert found is not None
    written = found.after(Status(), NOW)
    assert (
        decode_status(msgspec.json.encode(encode_status(written, is_route=False, has_ancestors=True)))
        == written
    )


def test_a_status_that_nobody_can_read_is_as_if_there_were_none() -> None:
    assert decode_status(b'{"conditions": 3}') == Status()


def test_news_are_conditions_with_another_reason() -> None:
    before, after = status_of("True", "Pending"), status_of("True", "Rejected")
    assert [each.reason for each in news(before, after)] == ["Rejected"]
    assert news(after, after) == ()


def test_what_is_on_its_way_waits_a_moment_and_is_written_then() -> None:
    before, after = status_of("True", "Synced"), status_of("True", "Pending", generation=2)
    assert not is_due(before, after, differs_seconds=0, written_seconds=100)
    assert is_due(before, after, differs_seconds=PENDING_SECONDS, written_seconds=100)


def test_what_has_arrived_is_written_at_once() -> None:
    before, after = status_of("True", "Synced"), status_of("True", "Synced", generation=2)
    assert is_due(before, after, differs_seconds=0, written_seconds=0)


def test_counts_alone_are_written_now_and_then() -> None:
    before, after = status_of("True", "Synced"), status_of("True", "Synced", counts="2/2")
    assert not is_due(before, after, differs_seconds=100, written_seconds=COUNTS_SECONDS / 2)
    assert is_due(before, after, differs_seconds=0, written_seconds=COUNTS_SECONDS)


def test_a_plan_writes_once_what_changed_once() -> None:
    sound = custom(CART | {"timeouts": {}})
    seen = view(reading(("ResiliencePolicy", sound)), convergence=PolicyConvergence(targeted=1))
    plan = Plan()
    assert plan.changes({NAME: sound}, seen, NOW, 0) == ()
    assert plan.is_waiting
    arrived = replace(seen, convergence={NAME: PolicyConvergence(targeted=1, applied=1)})
    [change] = plan.changes({NAME: sound}, arrived, NOW, SECOND_NS)
    plan.wrote(change, SECOND_NS)
    written = custom(CART | {"timeouts": {}}, status=change.after)
    assert plan.changes({NAME: written}, arrived, NOW + timedelta(seconds=9), 9 * SECOND_NS) == ()
    assert not plan.is_waiting


def test_a_plan_forgets_what_is_gone() -> None:
    sound = custom(CART | {"timeouts": {}})
    seen = view(reading(("ResiliencePolicy", sound)), convergence=PolicyConvergence(targeted=1))
    plan = Plan()
    plan.changes({NAME: sound}, seen, NOW, 0)
    plan.changes({}, seen, NOW, 0)
    assert not plan.is_waiting
