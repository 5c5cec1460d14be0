"""FaultPolicy: what is wrong between its fields, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controlplane.model.document import Document
from controlplane.model.effective import CallerMatch
from controlplane.model.resource import Outbound, ResourceType
from controlplane.policy import fault
from controlplane.policy.target import Level
from controlplane.sources.reader import date
from tests.support.builders import body, policy, read, service, snapshot

HEADER = """
apiVersion: breakwater.dev/v1alpha1
kind: FaultPolicy
metadata: {name: drill, namespace: shop}
"""
ENDS = "expiresAfter: 30m"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text(spec: str) -> str:
    return f"{HEADER}spec: {{targetRefs: [{{kind: Service, name: cart}}], {spec}}}\n"


def found(spec: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in read(text(spec)).problems]


def drill(spec: str = "abort: {status: 503}", *, namespace: str = "shop", target: str = "") -> Document:
    written = policy(
        f"percent: 5\n{ENDS}\n{spec}",
        kind="FaultPolicy",
        name="drill",
        namespace=namespace,
        target=target or "{kind: Service, name: cart}",
    )
    return replace(written, created_at=NOW)


@pytest.mark.parametrize(
    "spec",
    [
        "delay: 200ms",
        "abort: {status: 400}",
        "bandwidth: {bytesPerSecond: 64Ki}",
        "delay: 1s, abort: {status: 599}, match: [{methods: [POST]}]",
        "delay: 1s, mode: Shadow",
        "delay: 1s, merge: AtomicOverrides",
    ],
)
def test_what_is_documented_is_taken(spec: str) -> None:
    assert found(f"percent: 5, {ENDS}, {spec}") == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (f"percent: 5, {ENDS}", "spec: does nothing; expected one of delay, abort, bandwidth"),
        (f"{ENDS}, delay: 1s", "spec.percent: required"),
        ("percent: 5, delay: 1s", "spec.expiresAfter: required"),
        (
            "percent: 5, delay: 1s, expiresAfter: 24h1ms",
            "spec.expiresAfter: expected at most 24h, found 24h1ms",
        ),
        (
            f"percent: 5, {ENDS}, abort: {{status: 399}}",
            "spec.abort.status: expected at least 400, found 399",
        ),
    ],
)
def test_what_makes_no_sense_is_said(spec: str, problem: str) -> None:
    assert problem in found(spec)


def test_it_ends_so_long_after_it_was_created() -> None:
    assert fault.find_end(drill()) == NOW + timedelta(minutes=30)


def test_what_a_file_holds_begins_when_that_is_written() -> None:
    [document] = date(read(text(f"percent: 5, {ENDS}, delay: 1s")), NOW).documents
    assert fault.find_end(document) == NOW + timedelta(minutes=30)
    [other] = date(read(text(f"percent: 5, {ENDS}, delay: 1s")), NOW + timedelta(seconds=1)).documents
    assert document != other


def faults(document: Document) -> Outbound:
    found = body(snapshot([document], [service()]), ResourceType.OUTBOUND, "shop/cart")
    assert isinstance(found, Outbound)
    return found


def test_callers_are_sent_when_it_is_over() -> None:
    [rules] = faults(drill("delay: 1s\nmode: Shadow")).faults
    assert (rules.policy.key.name, rules.callers, rules.is_shadow) == ("drill", (), True)
    assert rules.until == NOW + timedelta(minutes=30)
    assert rules.settings.keys() == {"percent", "delay", "merge"}


def test_callers_are_sent_how_it_combines_and_how_specific_it_is() -> None:
    broad = drill("delay: 1s\nmerge: PatchOverrides", target="{kind: Namespace, name: shop}")
    [rules] = faults(broad).faults
    assert (rules.settings["merge"], rules.specificity, rules.age) == (
        "PatchOverrides",
        Level.NAMESPACE,
        broad.age,
    )
    abroad = drill(namespace="web", target="{kind: Service, name: cart, namespace: shop}")
    [consumers] = faults(abroad).faults
    assert (consumers.settings["merge"], consumers.specificity > Level.RULE) == ("PatchDefaults", True)


def test_a_policy_of_another_namespace_governs_callers_of_its_own() -> None:
    [rules] = faults(drill(namespace="web", target="{kind: Service, name: cart, namespace: shop}")).faults
    assert rules.callers == (CallerMatch(namespace="web"),)


def test_without_a_beginning_it_never_acts() -> None:
    assert faults(replace(drill(), created_at=None)).faults == ()
