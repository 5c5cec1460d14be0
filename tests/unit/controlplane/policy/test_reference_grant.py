"""Who may name what across namespaces."""

import pytest

from controlplane.model.document import Document
from controlplane.policy.reference_grant import Grants, Subject
from tests.support.builders import documents

LIMITS = Subject("breakwater.dev", "RateLimitPolicy", "web")
CART = Subject("", "Service", "shop", "cart")


def grant(
    name: str = "limits", to: str = "{group: '', kind: Service, name: cart}", version: str = "v1beta1"
) -> Document:
    [found] = documents(
        f"""\
        apiVersion: gateway.networking.k8s.io/{version}
        kind: ReferenceGrant
        metadata: {{name: {name}, namespace: shop}}
        spec:
          from: [{{group: breakwater.dev, kind: RateLimitPolicy, namespace: web}}]
          to: [{to}]
        """
    )
    return found


def grants(*found: Document) -> Grants:
    return Grants().replace((), found)


def test_what_is_granted_is_permitted() -> None:
    assert grants(grant()).permit(LIMITS, CART)
    assert not Grants().permit(LIMITS, CART)


def test_a_grant_of_either_version_says_the_same() -> None:
    assert grant(version="v1") == grant(version="v1beta1")


@pytest.mark.parametrize(
    "source",
    [
        LIMITS._replace(namespace="other"),
        LIMITS._replace(kind="BackpressurePolicy"),
        LIMITS._replace(group=""),
    ],
)
def test_every_part_of_who_names_it_counts(source: Subject) -> None:
    assert not grants(grant()).permit(source, CART)


@pytest.mark.parametrize(
    "target",
    [
        CART._replace(name="other"),
        CART._replace(namespace="bank"),
        CART._replace(kind="Namespace"),
        CART._replace(group="breakwater.dev"),
    ],
)
def test_every_part_of_what_is_named_counts(target: Subject) -> None:
    assert not grants(grant()).permit(LIMITS, target)


def test_a_grant_without_a_name_opens_the_whole_kind() -> None:
    assert grants(grant(to="{group: '', kind: Service}")).permit(LIMITS, CART)


def test_nothing_is_needed_within_a_namespace() -> None:
    assert Grants().permit(LIMITS._replace(namespace="shop"), CART)


def test_one_of_two_grants_that_goes_takes_nothing_of_the_other() -> None:
    first, second = grant("a"), grant("b", to="{group: '', kind: Service, name: other}")
    both = grants(first, second)
    assert both.replace([second], ()).permit(LIMITS, CART)
    assert not both.replace([first], ()).permit(LIMITS, CART)


def test_what_is_no_grant_changes_nothing() -> None:
    found = grants(grant())
    assert found.replace((), ()) is found


def test_a_grant_may_be_named_like_a_host() -> None:
    assert grant("limits.web.example").key.name == "limits.web.example"
