"""Whether what a policy speaks of is there."""

from dataclasses import replace

import pytest

from controlplane.policy.target import Caller
from controlplane.snapshot.governed import has_caller
from tests.support.builders import inputs, service

CLUSTER = {"shop": frozenset({"web"}), "bank": frozenset[str]()}


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "is_there"),
    [
        ("Service", "shop", "cart", True),
        ("Service", "shop", "web", False),
        ("ServiceAccount", "shop", "web", True),
        ("ServiceAccount", "shop", "robot", False),
        ("ServiceAccount", "nowhere", "web", False),
        ("Namespace", "bank", "bank", True),
        ("Namespace", "nowhere", "nowhere", False),
    ],
)
def test_callers_are_there_as_the_cluster_says(kind: str, namespace: str, name: str, is_there: bool) -> None:
    known = replace(inputs(services=[service()]), namespaces=CLUSTER)
    assert has_caller(known, Caller(kind, namespace, name)) is is_there


def test_where_no_cluster_says_accounts_and_namespaces_are_believed() -> None:
    assert has_caller(inputs(), Caller("ServiceAccount", "shop", "robot"))
    assert has_caller(inputs(), Caller("Namespace", "nowhere", "nowhere"))
