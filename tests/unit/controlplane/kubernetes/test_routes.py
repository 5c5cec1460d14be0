"""What the status of a route says of the policies that act on it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from controlplane.kubernetes.codec import has_our_status
from controlplane.kubernetes.objects import Custom, Meta
from controlplane.kubernetes.routes import reconcile
from controlplane.kubernetes.status import CONTROLLER, Condition, Parent, ParentRef, Status, encode_status
from controlplane.model.document import Document
from tests.support.builders import SCHEMA, documents, policy, service, snapshot

SPEC = {"parentRefs": [{"kind": "Service", "name": "cart"}], "rules": [{"name": "get"}, {"name": "put"}]}
GROUP = "gateway.networking.k8s.io"
AFFECTED = "breakwater.dev/ResiliencePolicyAffected"


def route(kind: str = "HTTPRoute") -> Document:
    written = {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": SPEC,
    }
    return documents(msgspec.json.encode(written).decode())[0]


def acting(name: str, section: str = "", mode: str = "Enforce") -> Document:
    rule = f", sectionName: {section}" if section else ""
    target = f"{{group: {GROUP}, kind: HTTPRoute, name: api{rule}}}"
    return policy(f"timeouts: {{request: 1s}}\nmode: {mode}", name=name, target=target)


def told(others: Sequence[Document]) -> tuple[Condition, ...]:
    """The conditions of a route whose parent is the cart, beside other documents."""
    document = route()
    custom = Custom(
        metadata=Meta(name="api", namespace="shop", generation=document.generation),
        spec=msgspec.Raw(msgspec.json.encode(SPEC)),
    )
    status = reconcile(snapshot([document, *others], [service()]), custom, document, ())
    assert status is not None
    return status.parents[0].conditions


def affected(policies: Sequence[Document]) -> list[Condition]:
    """The conditions that speak of policies, of a route whose parent is the cart."""
    return [each for each in told(policies) if each.type.endswith("Affected")]


def test_a_route_that_another_kind_hides_is_conflicted() -> None:
    accepted = next(each for each in told([route("GRPCRoute")]) if each.type == "Accepted")
    assert (accepted.status, accepted.reason) == ("False", "Conflicted")


def test_what_was_said_of_a_route_without_a_parent_of_ours_is_taken_back_and_others_words_stay() -> None:
    ours, others = (
        Parent(parent_ref=ParentRef(name="cart"), controller_name=name)
        for name in (CONTROLLER, "example.com")
    )
    before = Status(parents=(ours, others))
    text = encode_status(before, is_route=True, has_ancestors=False)
    left = Custom(
        metadata=Meta(name="api", namespace="shop"),
        spec=Raw(b'{"parentRefs": [{"name": "edge"}]}'),
        status=Raw(msgspec.json.encode(text)),
    )
    assert has_our_status(SCHEMA.kinds["HTTPRoute"], left)
    wanted = reconcile(snapshot([], [service()]), left, None, ())
    assert wanted is not None
    assert wanted.after(before, datetime.now(UTC)).parents == (others,)
    nothing = msgspec.structs.replace(left, status=Raw(b"{}"))
    assert not has_our_status(SCHEMA.kinds["HTTPRoute"], nothing)


def test_policies_on_the_route_and_on_its_rules_are_named_in_one_condition() -> None:
    [one] = affected([acting("a"), acting("b", "put"), acting("b-2", "put")])
    assert (one.type, one.status, one.reason) == (AFFECTED, "True", "PolicyAffected")
    assert one.message == "affected by shop/a, shop/b, shop/b-2"


def test_policies_that_change_nothing_are_not_named() -> None:
    assert affected([acting("a", mode="Shadow"), acting("b", mode="Disabled"), policy("timeouts: {}")]) == []


def test_of_many_policies_some_are_named() -> None:
    [one] = affected([acting(f"p{number}") for number in range(7)])
    assert one.message == "affected by shop/p0, shop/p1, shop/p2, shop/p3, shop/p4 and 2 more"
