"""What policies may name."""

import pytest

from controlplane.model.document import Document
from controlplane.policy import target
from controlplane.policy.reference_grant import Grants
from controlplane.policy.target import Caller, Target
from tests.support.builders import policy, read
from tests.unit.controlplane.sources.test_reader import POLICY

ROOT = "breakwater-system"


def refusals(document: Document) -> list[str]:
    return [f"{each.path}: {each.message}" for each in target.refusals(document, ROOT, Grants())]


def test_a_target_lives_in_the_policys_namespace() -> None:
    document = policy("timeouts: {}")
    assert target.targets(document) == (Target("Service", "shop", "cart"),)
    assert refusals(document) == []


def test_a_namespace_lies_in_none() -> None:
    document = policy("timeouts: {}", target="{kind: Namespace, name: shop}")
    assert target.targets(document) == (Target("Namespace", "", "shop"),)
    assert refusals(document) == []


def test_only_the_root_namespace_may_target_the_mesh() -> None:
    document = policy("timeouts: {}", target="{kind: Mesh, name: default}")
    assert refusals(document) == [
        "spec.targetRefs[0]: only policies in breakwater-system may target the Mesh"
    ]
    rooted = policy("timeouts: {}", namespace=ROOT, target="{kind: Mesh, name: default}")
    assert refusals(rooted) == []


def test_the_root_namespace_reaches_every_namespace() -> None:
    document = policy(
        "limits: [{name: a, requests: 1, per: 1s}]",
        kind="RateLimitPolicy",
        namespace=ROOT,
        target="{kind: Service, name: cart, namespace: shop}",
    )
    assert refusals(document) == []
    assert not target.is_consumer(document, target.targets(document)[0], ROOT)


def test_a_consumer_may_name_a_target_elsewhere_for_its_own_callers() -> None:
    document = policy("timeouts: {}", namespace="web", target="{kind: Service, name: cart, namespace: shop}")
    assert refusals(document) == []
    assert target.is_consumer(document, target.targets(document)[0], ROOT)


def test_a_consumer_may_name_a_namespace_elsewhere() -> None:
    document = policy("timeouts: {}", namespace="web", target="{kind: Namespace, name: shop}")
    assert refusals(document) == []
    assert target.is_consumer(document, target.targets(document)[0], ROOT)


def test_a_consumer_governs_no_callers_of_others() -> None:
    document = policy(
        "from: [{kind: Service, name: a, namespace: other}]\ntimeouts: {}",
        namespace="web",
        target="{kind: Service, name: cart, namespace: shop}",
    )
    assert refusals(document) == [
        (
            "spec.from[0]: a policy for Service shop/cart elsewhere governs only callers in its own "
            "namespace web, found other"
        )
    ]


def test_limits_do_not_cross() -> None:
    document = policy(
        "limits: [{name: a, requests: 1, per: 1s}]",
        kind="RateLimitPolicy",
        namespace="web",
        target="{kind: Service, name: cart, namespace: shop}",
    )
    assert refusals(document) == [
        (
            "spec.targetRefs[0]: a RateLimitPolicy targets its own namespace web, found shop; "
            "only policies in breakwater-system reach further, or with a ReferenceGrant of shop"
        )
    ]


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        ("{group: apps, kind: Service, name: cart}", "group: expected '' for kind Service, found 'apps'"),
        (
            "{group: x.dev, kind: ExternalService, name: cart}",
            "group: expected '' or 'breakwater.dev' for kind ExternalService, found 'x.dev'",
        ),
        (
            "{kind: Namespace, name: a, namespace: b}",
            "namespace: a Namespace lies in no namespace; leave it out",
        ),
        ("{kind: Mesh, name: other}", "name: the only Mesh is named default"),
        (
            "{kind: Gateway, name: cart}",
            (
                "kind: expected one of Service, ExternalService, Namespace, Mesh, HTTPRoute, GRPCRoute, "
                "found 'Gateway'"
            ),
        ),
    ],
)
def test_references_are_checked(ref: str, problem: str) -> None:
    text = POLICY.format(block="timeouts: {}").replace("{kind: Service, name: cart}", ref)
    assert [f"{each.path}: {each.message}" for each in read(text).problems] == [
        f"spec.targetRefs[0].{problem}"
    ]


def test_a_target_named_twice_is_a_problem() -> None:
    text = POLICY.format(block="timeouts: {}").replace(
        "name: cart}]",
        "name: cart}, {kind: Service, name: cart, namespace: shop}]",
    )
    assert [each.message for each in read(text).problems] == ["the same as targetRefs[0]"]


def test_callers_live_in_the_policys_namespace_unless_they_say_otherwise() -> None:
    document = policy(
        "from: [{kind: Service, name: web}, {kind: ServiceAccount, name: a, namespace: b}]\ntimeouts: {}"
    )
    assert target.callers(document) == (Caller("Service", "shop", "web"), Caller("ServiceAccount", "b", "a"))
