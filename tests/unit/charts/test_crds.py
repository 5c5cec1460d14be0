"""The custom resource definitions are those of the contract, bounded, and refuse what they should."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import pytest
import yaml

from controlplane.sources.codec import load_schema
from tests.support.crds import FOLDER, NAMES, definition, files
from tests.support.crds.checks import CHECKS
from tests.support.crds.definition import is_attached
from tests.support.crds.evaluate import broken_checks
from tests.support.crds.schema import block_schema
from tests.support.reference import read_comments

SCHEMA = load_schema()
COMMENTS = read_comments()
KINDS = tuple(kind for kind in SCHEMA.kinds.values() if kind.is_ours)
EXTERNAL = {"hosts": ["a"], "ports": [{"name": "http", "port": 80}]}
STATIC = {**EXTERNAL, "endpoints": [{"address": "10.0.0.1", "port": 80}]}

# Block, what it accepts, what it refuses, and what it says then.
TABLE: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any], str], ...] = (
    ("TargetRef", {"kind": "Mesh", "name": "default"}, {"kind": "Mesh", "name": "x"}, "the only Mesh"),
    (
        "TargetRef",
        {"group": "breakwater.dev", "kind": "ExternalService", "name": "x"},
        {"group": "apps", "kind": "Service", "name": "x"},
        "expected ''",
    ),
    (
        "TargetRef",
        {"kind": "Service", "name": "x", "namespace": "y"},
        {"kind": "Namespace", "name": "x", "namespace": "y"},
        "lies in no namespace",
    ),
    (
        "CallerRef",
        {"kind": "Service", "name": "x", "namespace": "y"},
        {"kind": "Namespace", "name": "x", "namespace": "y"},
        "lies in none",
    ),
    ("Timeouts", {"perTry": "1s", "request": "1s"}, {"perTry": "1001ms", "request": "1s"}, "at most request"),
    ("Timeouts", {"perTry": "16s"}, {"perTry": "2s", "request": "1s"}, "at most request"),
    ("Timeouts", {"request": "1ms"}, {"request": "0s"}, "more than zero"),
    ("Timeouts", {"connect": "1m"}, {"connect": "61s"}, "at most 60s"),
    ("Backoff", {"base": "1s", "max": "1m"}, {"base": "1s", "max": "999ms"}, "at most max"),
    ("BreakerOpen", {"base": "6m"}, {"base": "6m", "max": "5m"}, "at most max"),
    ("OutlierEjection", {"base": "1s", "max": "1s"}, {"base": "2h", "max": "1h"}, "at most max"),
    (
        "CodelFigures",
        {"target": "5ms", "interval": "100ms"},
        {"target": "2s", "interval": "1s"},
        "at most interval",
    ),
    ("AdaptiveConcurrency", {"min": 5, "max": 5}, {"min": 6, "max": 5}, "at most max"),
    (
        "Queue",
        {"mode": "Buffer", "capacity": 20000},
        {"mode": "Buffer", "capacity": 20, "maxCapacity": 19},
        "at most maxCapacity",
    ),
    (
        "Breaker",
        {"service": {"overloadTrips": True}, "endpoint": {}},
        {"endpoint": {"overloadTrips": True}},
        "only the service's breaker",
    ),
    (
        "InstanceGroups",
        {"groups": {"a": {"matchLabels": {"pool": "a"}}}, "assign": [{"group": "a"}]},
        {"groups": {"a": {"matchLabels": {"pool": "a"}}}, "assign": [{"group": "b"}]},
        "groups that there are",
    ),
    (
        "LoadBalancing",
        {"policy": "Maglev", "hashOn": {"header": "x"}},
        {"policy": "Maglev"},
        "need hashOn beside them",
    ),
    ("LoadBalancing", {}, {"hashOn": {"header": "x"}}, "nothing else has it"),
    (
        "SidecarCapture",
        {"excludeInboundPorts": [1]},
        {"mode": "Explicit", "excludeInboundPorts": [1]},
        "needs mode: Redirect",
    ),
    ("SidecarDrain", {"delay": "2000ms"}, {"delay": "2500ms"}, "whole seconds"),
    ("SidecarDrain", {"timeout": "1m30s"}, {"timeout": "1s1ms"}, "whole seconds"),
    (
        "SidecarPatch",
        {"env": [{"name": "A"}, {"name": "B"}]},
        {"env": [{"name": "A"}, {"name": "A"}]},
        "each variable once",
    ),
    ("SidecarVariable", {"name": "TZ"}, {"name": "BREAKWATER_INSECURE"}, "leave it out"),
    ("SidecarVariable", {"name": "MY_LD_PATH"}, {"name": "LD_PRELOAD"}, "leave it out"),
    ("SeccompProfile", {"type": "RuntimeDefault"}, {"type": "Localhost"}, "with no other"),
    (
        "SeccompProfile",
        {"type": "Localhost", "localhostProfile": "a.json"},
        {"type": "RuntimeDefault", "localhostProfile": "a.json"},
        "with no other",
    ),
    ("BreakerTrip", {"slowRate": 5, "slowAfter": "1s"}, {"slowRate": 5}, "go together"),
    ("BreakerTrip", {"errorRate": 5}, {"slowAfter": "1s"}, "go together"),
    ("BreakerWindow", {"type": "Time", "duration": "1s"}, {"duration": "1s"}, "in a Count window"),
    ("BreakerWindow", {"size": 20}, {"type": "Time", "size": 20}, "in a Time window"),
    ("BreakerWindow", {"size": 19}, {"size": 19, "minimumRequests": 20}, "never holds"),
    ("BreakerHalfOpen", {"probes": 1}, {"probes": 1, "successThreshold": 1}, "at most one of"),
    ("HeaderMatch", {"name": "x", "present": True}, {"name": "x"}, "value or present"),
    (
        "HeaderMatch",
        {"name": "x", "value": ""},
        {"name": "x", "value": "", "present": True},
        "at most one of",
    ),
    ("Limit", {"name": "a", "concurrency": 1}, {"name": "a"}, "names nothing to limit"),
    (
        "Limit",
        {"name": "a", "resource": {"cpuPercent": {"enter": 90}}},
        {"name": "a", "scope": "Divided"},
        "names nothing to limit",
    ),
    (
        "Limit",
        {"name": "a", "requests": 1, "per": "1s"},
        {"name": "a", "requests": 1},
        "requests and per go together",
    ),
    (
        "Limit",
        {"name": "a", "requests": 10_000, "per": "1s", "algorithm": "SlidingLog"},
        {"name": "a", "requests": 10_001, "per": "1s", "algorithm": "SlidingLog"},
        "10000 at most",
    ),
    (
        "AdaptiveLimit",
        {"min": 1, "max": 2, "target": {"p99": "1s"}},
        {"min": 3, "max": 2, "target": {"p99": "1s"}},
        "at most max",
    ),
    ("ConnectionLimit", {"perSecond": 1}, {}, "expected concurrent, perSecond or both"),
    ("ExternalServiceSpec", STATIC, EXTERNAL, "expected endpoints"),
    (
        "ExternalServiceSpec",
        {**EXTERNAL, "resolution": "DNS"},
        {**STATIC, "endpoints": []},
        "expected endpoints",
    ),
    (
        "ExternalServiceSpec",
        {**STATIC, "hosts": ["a", "b"]},
        {**EXTERNAL, "hosts": ["a", "b"], "resolution": "DNS"},
        "expected one host",
    ),
    (
        "ExternalServiceSpec",
        STATIC,
        {**STATIC, "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]},
        "each port number once",
    ),
    (
        "ResiliencePolicySpec",
        {
            "targetRefs": [
                {"kind": "Service", "name": "a"},
                {"kind": "Service", "name": "a", "namespace": "b"},
            ]
        },
        {"targetRefs": [{"kind": "Service", "name": "a"}, {"kind": "Service", "name": "a"}]},
        "each target once",
    ),
)


def test_the_definitions_are_current() -> None:
    found = {path: path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*.yaml"), NAMES)}
    assert found == dict(files()), "the contract has moved on: run `python -m tests.support.crds`"


@pytest.mark.parametrize(("block", "accepted", "refused", "message"), TABLE)
def test_checks_between_fields_accept_and_refuse(
    block: str, accepted: Mapping[str, Any], refused: Mapping[str, Any], message: str
) -> None:
    schema = block_schema(SCHEMA.blocks[block], COMMENTS)
    assert list(broken_checks(schema, accepted)) == []
    assert any(message in broken for broken in broken_checks(schema, refused))


def documented() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every document on the pages of policies, by its page."""
    for page in sorted((FOLDER.parents[2] / "docs" / "policies").glob("*.md")):
        for text in re.findall(
            r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            found = (each for each in yaml.safe_load_all(text) if isinstance(each, dict) and "kind" in each)
            yield from ((page.stem, each) for each in found)


@pytest.mark.parametrize(("page", "document"), tuple(documented()))
def test_what_is_documented_breaks_no_check(page: str, document: Mapping[str, Any]) -> None:
    kind = SCHEMA.kinds[document["kind"]]
    if kind.is_ours:
        assert list(broken_checks(schema_of(kind)["properties"]["spec"], document["spec"])) == [], page


def test_every_check_is_of_a_block_and_a_field_that_there_is() -> None:
    for block, checks in CHECKS.items():
        assert all(check.field in {"", *SCHEMA.blocks[block].fields} for check in checks), block


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_text_list_and_map_is_bounded(kind: Any) -> None:
    parts = schema_of(kind)["properties"]
    walked = chain.from_iterable(walk(parts[name], name) for name in ("spec", "status"))
    unbounded = [path for path, schema in walked if not is_bounded(schema)]
    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_is_explained(kind: Any) -> None:
    spec = schema_of(kind)["properties"]["spec"]
    silent = [path for path, schema in members(spec, "spec") if not schema.get("description")]
    assert silent == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_policies_are_found_by_tools_of_the_gateway_api(kind: Any) -> None:
    labels = definition(kind, COMMENTS)["metadata"]["labels"]
    assert (labels.get("gateway.networking.k8s.io/policy") == "Inherited") is is_attached(kind)


def schema_of(kind: Any) -> dict[str, Any]:
    [version] = definition(kind, COMMENTS)["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def walk(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from walk(member, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from walk(schema[inner], f"{path}[]")


def members(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((found, member) for found, member in walk(schema, path) if not found.endswith("[]"))


def is_bounded(schema: Mapping[str, Any]) -> bool:
    match schema.get("type"):
        case "string":
            return bool({"maxLength", "enum", "format"} & set(schema))
        case "array":
            return "maxItems" in schema
        case "object":
            return "additionalProperties" not in schema or "maxProperties" in schema
        case _:
            return True
