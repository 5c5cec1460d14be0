"""Which webhook the API server asks about a pod."""

from typing import Any

import pytest

from controlplane.injector.selection import find_webhook, selects, unselected, webhooks

LABEL = "breakwater.dev/inject"
CONFIGURATION: dict[str, Any] = {
    "metadata": {"name": "breakwater-injector"},
    "webhooks": [
        {
            "name": "namespace.injector.breakwater.dev",
            "clientConfig": {"service": {"namespace": "breakwater-system"}},
            "namespaceSelector": {
                "matchExpressions": [{"key": LABEL, "operator": "In", "values": ["enabled"]}]
            },
            "objectSelector": {
                "matchExpressions": [{"key": LABEL, "operator": "NotIn", "values": ["false"]}]
            },
        },
        {
            "name": "pod.injector.breakwater.dev",
            "namespaceSelector": {"matchExpressions": [{"key": LABEL, "operator": "DoesNotExist"}]},
            "objectSelector": {"matchLabels": {LABEL: "true"}},
        },
    ],
}
KNOWN = webhooks([CONFIGURATION])


@pytest.mark.parametrize(
    ("expression", "labels", "expected"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, {"a": "2"}, True),
        ({"key": "a", "operator": "In", "values": ["1"]}, {}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {}, True),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, {"a": "1"}, False),
        ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
        ({"key": "a", "operator": "DoesNotExist"}, {"a": ""}, False),
    ],
)
def test_expressions_are_read_as_the_api_server_reads_them(
    expression: dict[str, Any], labels: dict[str, str], *, expected: bool
) -> None:
    assert selects({"matchExpressions": [expression]}, labels) is expected


def test_every_part_of_a_selector_must_hold() -> None:
    both = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    assert selects(both, {"a": "1", "b": ""})
    assert not selects(both, {"a": "1"})
    assert selects({}, {})


@pytest.mark.parametrize(
    ("namespace", "pod", "expected"),
    [
        ({LABEL: "enabled"}, {}, "breakwater-injector/namespace.injector.breakwater.dev"),
        ({LABEL: "enabled"}, {LABEL: "false"}, None),
        ({}, {LABEL: "true"}, "breakwater-injector/pod.injector.breakwater.dev"),
        ({}, {}, None),
    ],
)
def test_a_pod_is_asked_about_as_namespace_and_pod_are_labelled(
    namespace: dict[str, str], pod: dict[str, str], expected: str | None
) -> None:
    found = find_webhook(KNOWN, namespace, pod)
    assert (found.name if found else None) == expected


def test_why_nobody_is_asked_says_what_to_do() -> None:
    assert "no injector" in unselected((), "shop", {})
    assert unselected(KNOWN, "shop", {LABEL: "false"}) == "the pod is labelled breakwater.dev/inject=false"
    assert "kubectl label namespace shop breakwater.dev/inject=enabled" in unselected(KNOWN, "shop", {})
