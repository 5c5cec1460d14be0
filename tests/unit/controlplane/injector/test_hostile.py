"""Pods that were made to get around a sidecar, or to end whoever looks at them."""

import copy
import json
from typing import Any

import pytest

from controlplane.injector import cautions
from controlplane.injector.removal import is_injected
from controlplane.injector.verdict import Skip
from controlplane.model.codes import Code
from tests.support.injection import inject, injected

POD: dict[str, Any] = {
    "metadata": {"name": "cart"},
    "spec": {
        "containers": [{"name": "cart", "image": "cart:1"}],
        "initContainers": [{"name": "migrate", "image": "cart:1"}],
    },
}
WHOLE = injected(POD)
STATUS = "breakwater.dev/status"


def changed(name: str, **fields: Any) -> dict[str, Any]:
    """The injected pod, with something else in one of its containers or volumes."""
    found = copy.deepcopy(WHOLE)
    for listed in ("initContainers", "volumes"):
        for one in found["spec"][listed]:
            if one["name"] == name:
                one.update(fields)
    return found


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("breakwater-sidecar", {"image": "evil:1"}),
        ("breakwater-sidecar", {"command": ["sleep"]}),
        ("breakwater-sidecar", {"args": []}),
        ("breakwater-sidecar", {"env": []}),
        ("breakwater-sidecar", {"envFrom": [{"configMapRef": {"name": "a"}}]}),
        ("breakwater-sidecar", {"securityContext": {"runAsUser": 0}}),
        ("breakwater-sidecar", {"restartPolicy": None}),
        ("breakwater-sidecar", {"volumeMounts": [{"name": "data", "mountPath": "/usr"}]}),
        ("breakwater-capture", {"image": "true:1"}),
        ("breakwater-capture", {"args": ["--remove"]}),
        ("breakwater-state", {"emptyDir": None, "hostPath": {"path": "/"}}),
        ("breakwater-identity", {"projected": {"sources": []}}),
    ],
)
def test_what_only_has_our_names_is_made_anew(name: str, fields: dict[str, Any]) -> None:
    assert injected(changed(name, **fields))["spec"] == WHOLE["spec"]


def test_a_setting_that_was_slipped_in_is_taken_out() -> None:
    found = copy.deepcopy(WHOLE)
    found["spec"]["initContainers"][1]["env"].append({"name": "BREAKWATER_INSECURE", "value": "true"})
    assert injected(found)["spec"] == WHOLE["spec"]


def test_nothing_starts_before_the_rules_are_there() -> None:
    found = copy.deepcopy(WHOLE)
    found["spec"]["initContainers"].insert(0, {"name": "early", "image": "early:1"})
    names = [one["name"] for one in injected(found)["spec"]["initContainers"]]
    assert names == ["breakwater-capture", "breakwater-sidecar", "early", "migrate"]


def test_what_kubernetes_fills_in_is_no_change() -> None:
    found = copy.deepcopy(WHOLE)
    for one in found["spec"]["initContainers"]:
        one |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"}
    found["spec"]["initContainers"][1]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] = "v1"
    found["spec"]["volumes"][0]["projected"]["defaultMode"] = 420
    assert inject(found).skip is Skip.INJECTED


@pytest.mark.parametrize(
    "status",
    [
        "[" * 100_000,
        json.dumps({"annotations": 5}),
        json.dumps({"annotations": [[], {}, 5]}),
        json.dumps({"overlay": []}),
        json.dumps({"overlay": {"within": [], "place": "a", "container": 5}}),
        json.dumps({"overlay": {"within": "containers", "place": -7, "container": {"name": "evil"}}}),
        json.dumps(
            {"overlay": {"within": "containers", "place": 99, "container": {"name": "breakwater-sidecar"}}}
        ),
        json.dumps({"probes": 5, "scrape": []}),
    ],
)
def test_whatever_the_annotation_says_a_pod_gets_its_sidecar(status: str) -> None:
    found = copy.deepcopy(POD) | {"metadata": {"name": "cart", "annotations": {STATUS: status}}}
    spec = injected(found)["spec"]
    assert [one["name"] for one in spec["initContainers"]][:2] == ["breakwater-capture", "breakwater-sidecar"]
    assert [one["name"] for one in spec["containers"]] == ["cart"]


@pytest.mark.parametrize("odd", [None, 5, "a", [], {}, [None], [5], [[]], [{"name": []}], [{"name": {}}]])
@pytest.mark.parametrize("name", ["containers", "initContainers", "volumes", "ephemeralContainers"])
def test_odd_lists_end_nobody(name: str, odd: object) -> None:
    for found in (POD, WHOLE):
        strange = copy.deepcopy(found)
        strange["spec"][name] = odd
        inject(strange)
        list(cautions.find_injected(strange))


def test_a_port_without_a_place_of_its_own_would_be_reached_past_the_sidecar() -> None:
    found = copy.deepcopy(POD)
    found["spec"]["containers"][0]["ports"] = [{"containerPort": number} for number in range(1, 102)]
    found["metadata"]["annotations"] = {"breakwater.dev/capture": "Explicit"}
    assert injected(found)
    found["spec"]["containers"][0]["ports"].append({"containerPort": 102})
    [problem] = inject(found).problems
    assert problem.message == "expected at most 101 TCP ports where nothing is redirected, found 102"


def test_an_annotation_alone_is_no_sidecar() -> None:
    bare = copy.deepcopy(POD) | {"metadata": WHOLE["metadata"]}
    assert is_injected(WHOLE)
    assert not is_injected(bare)


@pytest.mark.parametrize(
    ("name", "context", "path"),
    [
        ("containers", {"capabilities": {"add": ["NET_ADMIN"]}}, "capabilities.add"),
        ("initContainers", {"capabilities": {"add": ["CAP_NET_RAW"]}}, "capabilities.add"),
        ("containers", {"capabilities": {"add": ["all"]}}, "capabilities.add"),
        ("initContainers", {"privileged": True}, "privileged"),
    ],
)
def test_who_could_undo_the_rules_is_named_before_and_after(
    name: str, context: dict[str, Any], path: str
) -> None:
    asking = copy.deepcopy(POD)
    asking["spec"][name][0]["securityContext"] = context
    [before] = inject(asking).warnings
    assert (before.path, before.code) == (f"spec.{name}[0].securityContext.{path}", Code.CAPTURE_UNDOABLE)
    [after] = cautions.find_injected(injected(asking))
    assert after.message == before.message
    asking["metadata"]["annotations"] = {"breakwater.dev/capture": "Explicit"}
    assert not inject(asking).warnings


def test_ephemeral_containers_of_a_pod_are_looked_at_too() -> None:
    found = copy.deepcopy(WHOLE)
    found["spec"]["ephemeralContainers"] = [
        {"name": "debug", "securityContext": {"runAsUser": 15001, "capabilities": {"add": ["NET_RAW"]}}}
    ]
    codes = {problem.code: problem.path for problem in cautions.find_injected(found)}
    place = "spec.ephemeralContainers[0].securityContext"
    assert codes == {
        Code.CAPTURE_UNDOABLE: f"{place}.capabilities.add",
        Code.USER_CLASH: f"{place}.runAsUser",
    }


def test_the_token_of_the_pods_account_is_in_none_of_our_containers() -> None:
    """The API server mounts it wherever nothing else is mounted there."""
    for one in WHOLE["spec"]["initContainers"][:2]:
        assert "/var/run/secrets/kubernetes.io/serviceaccount" in [
            m["mountPath"] for m in one["volumeMounts"]
        ]


def test_time_to_leave_is_read_from_what_the_sidecar_was_told() -> None:
    found = changed("breakwater-sidecar", args=["--drain-timeout=26"])
    [caution] = cautions.find_injected(found)
    assert caution.code is Code.GRACE_TOO_SHORT
