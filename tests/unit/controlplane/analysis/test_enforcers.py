"""Policies that nobody enforces, and why."""

from controlplane.analysis.analyze import analyze, of_files
from controlplane.analysis.world import World
from controlplane.model.codes import Code
from controlplane.model.document import Document
from controlplane.snapshot import governed
from registry.catalog import Service
from tests.support.builders import SCHEMA, policy, service, snapshot

LIMITS = "limits: [{name: a, requests: 5, per: 1s}]"
FROM = "from: [{kind: Service, name: cart, namespace: shop}]"
UNVERIFIED = ("spec.from", governed.UNVERIFIED)


def limits(spec: str, **place: str) -> Document:
    return policy(f"{LIMITS}\n{spec}", kind="RateLimitPolicy", **place)


def found(document: Document, *services: Service) -> list[tuple[str, str]]:
    """What is said of who enforces it; without services, of the file alone."""
    world = World(snapshot=snapshot([document], services)) if services else of_files([document], SCHEMA)
    return [(each.path, each.message) for each in analyze(world) if each.code is Code.UNENFORCED]


def test_limits_for_some_callers_are_enforced_by_nobody_who_would_have_to_verify_them() -> None:
    assert found(limits(FROM), service()) == [UNVERIFIED]
    assert found(limits(FROM, target="{kind: Namespace, name: shop}"), service()) == [UNVERIFIED]
    assert found(limits(FROM)) == [UNVERIFIED], "of a file alone"


def test_callers_who_limit_themselves_know_who_they_are() -> None:
    assert found(limits(f"{FROM}\nat: Caller"), service()) == found(limits(f"{FROM}\nat: Caller")) == []
    bare, web = service(has_sidecar=False), service("shop/web")
    assert found(limits(FROM), bare, web) == [], "nobody who is called has a sidecar"
    assert found(limits(FROM, target="{kind: ExternalService, name: cart}")) == []
