"""What people are shown."""

from dataclasses import replace

import pytest

from controlplane.admin.views import members, variant_for, warnings
from controlplane.model.effective import CallerMatch, OutboundVariant
from controlplane.model.sidecar import PolicyConvergence, Refusal, SidecarState
from controlplane.model.value import Duration, Tree
from controlplane.snapshot.status import synced
from registry.model import ServiceName
from tests.support.sidecars import placed, sidecar

CART = ServiceName(namespace="shop", name="cart")
MS = 1_000_000


def variant(caller: CallerMatch | None = None) -> OutboundVariant:
    return OutboundVariant(caller=caller, resilience={}, origins=())


@pytest.mark.parametrize(
    ("convergence", "status", "reason"),
    [
        (PolicyConvergence(), False, "NoSidecars"),
        (PolicyConvergence(targeted=2, applied=2), True, "Synced"),
        (PolicyConvergence(targeted=2, applied=1), False, "Pending"),
        (PolicyConvergence(targeted=2, applied=1, rejected=1), False, "Rejected"),
    ],
)
def test_policy_is_synced_when_every_sidecar_concerned_applies_it(
    convergence: PolicyConvergence, *, status: bool, reason: str
) -> None:
    condition = synced(convergence, 7)
    assert (condition.status, condition.reason) == (status, reason)


def test_sidecars_that_refused_a_policy_are_named_with_what_was_wrong() -> None:
    cart = Refusal(instance="cart-0.shop", reason="limits[0].by: unknown key")
    convergence = PolicyConvergence(targeted=41, applied=40, rejected=1, refusals=(cart,))
    message = "1 of 41 sidecars rejected revision r1842: cart-0.shop: limits[0].by: unknown key"
    assert synced(convergence, 1842).message == message
    many = replace(convergence, rejected=5, refusals=(cart, replace(cart, instance="cart-1.shop")))
    assert synced(many, 1842).message.endswith("; `breakwater proxy-status --rejected` names the others")


@pytest.mark.parametrize(
    ("caller", "index"),
    [
        (CallerMatch(namespace="shop", service="web"), 0),
        (CallerMatch(namespace="shop", service="cart"), 1),
        (CallerMatch(namespace="pay"), 2),
        (CallerMatch(), 2),
    ],
)
def test_caller_gets_the_first_variant_that_matches(caller: CallerMatch, index: int) -> None:
    variants = (
        variant(CallerMatch(namespace="shop", service="web")),
        variant(CallerMatch(namespace="shop")),
        variant(),
    )
    assert variant_for(variants, caller) == index


@pytest.mark.parametrize(("per_try", "is_warned"), [(300, False), (400, False), (401, True)])
def test_attempts_that_do_not_fit_are_warned_about(per_try: int, *, is_warned: bool) -> None:
    resilience: Tree = {
        "retry": {"attempts": 1},
        "timeouts": {"request": Duration(800 * MS), "perTry": Duration(per_try * MS)},
    }
    assert [problem.warning for problem in warnings(resilience)] == [True] * is_warned


def test_nothing_is_warned_about_without_retries() -> None:
    assert list(warnings({"timeouts": {"request": Duration(1), "perTry": Duration(2)}})) == []


def test_members_that_are_synced_are_asked_first_and_offline_ones_never() -> None:
    sidecars = [
        placed(sidecar("cart-0", state=SidecarState.STALE)),
        placed(sidecar("cart-1")),
        placed(sidecar("cart-2", state=SidecarState.OFFLINE)),
    ]
    chosen = [one.attached.status.hello.instance for one in members(sidecars, CART)]
    assert chosen == ["cart-1", "cart-0"]
    assert members(sidecars, ServiceName(namespace="shop", name="web")) == ()
