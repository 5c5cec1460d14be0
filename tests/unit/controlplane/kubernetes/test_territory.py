"""Whose objects are, where a cluster has several control planes."""

import pytest

from controlplane.kubernetes.objects import Key, Meta, Object
from controlplane.kubernetes.territory import LABEL, Territory


def namespace(name: str, revision: str = "") -> dict[Key, Object | None]:
    labels = {LABEL: revision} if revision else {}
    return {Key("", name): Object(metadata=Meta(name=name, labels=labels))}


@pytest.mark.parametrize(
    ("label_of_namespace", "label", "owner"),
    [("", "", ""), ("canary", "", "canary"), ("", "canary", "canary"), ("canary", "next", "next")],
)
def test_an_object_is_of_its_own_label_else_of_that_of_its_namespace(
    label_of_namespace: str, label: str, owner: str
) -> None:
    meta = Meta(name="cart", namespace="shop", labels={LABEL: label} if label else {})
    holding = []
    for revision in ("", "canary", "next"):
        territory = Territory(revision)
        territory.take(namespace("shop", label_of_namespace))
        holding += [revision] if territory.holds(meta) else []
    assert holding == [owner]


def test_what_lies_in_no_namespace_is_of_the_control_plane_without_a_revision() -> None:
    assert Territory("").holds(Meta(name="default"))
    assert not Territory("canary").holds(Meta(name="default"))


def test_a_namespace_that_changes_hands_is_news_and_nothing_else_is() -> None:
    territory, cart = Territory("canary"), Meta(name="cart", namespace="shop")
    territory.take(namespace("shop") | namespace("bank"))
    assert (territory.taken, territory.holds(cart)) == (0, False)
    territory.take(namespace("shop", "canary"))
    territory.take(namespace("shop", "canary"))
    assert (territory.taken, territory.holds(cart)) == (1, True)
    territory.take({Key("", "shop"): None})
    assert (territory.taken, territory.holds(cart)) == (2, False)
