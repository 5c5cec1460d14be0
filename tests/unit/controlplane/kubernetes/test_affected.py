"""What Services are to say of the policies that target them."""

from controlplane.kubernetes.affected import differing
from controlplane.kubernetes.objects import Key, Meta, Service
from controlplane.model.document import Document
from tests.support.builders import policy, service, snapshot

AFFECTED = "breakwater.dev/ResiliencePolicyAffected"
CART = Key("shop", "cart")


def acting(name: str = "a", mode: str = "Enforce") -> Document:
    return policy(f"timeouts: {{request: 1s}}\nmode: {mode}", name=name)


def to_say(*policies: Document, said: dict[str, str] | None = None) -> dict[Key, dict[str, str]]:
    """What is to be written where the cart says this by now."""
    found = Service(metadata=Meta(namespace=CART.namespace, name=CART.name, annotations=said or {}))
    return dict(differing(snapshot(policies, [service()]), {CART: found}))


def test_a_service_names_the_policies_that_target_it() -> None:
    assert to_say(acting("a"), acting("b")) == {CART: {AFFECTED: "shop/a, shop/b"}}


def test_nothing_is_written_where_everything_is_said() -> None:
    assert to_say(acting(), said={AFFECTED: "shop/a", "owner": "team-a"}) == {}
    assert to_say(said={"owner": "team-a"}) == {}


def test_what_holds_no_longer_is_taken_back() -> None:
    assert to_say(acting(mode="Shadow"), said={AFFECTED: "shop/a"}) == {CART: {}}


def test_what_holds_for_more_than_the_service_is_not_said_there() -> None:
    wide = policy("timeouts: {request: 1s}", name="wide", target="{kind: Namespace, name: shop}")
    assert to_say(wide) == {}
