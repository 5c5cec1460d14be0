"""A pod and its profile to the patch that puts a sidecar in, or takes it out."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.injector import patch, removal
from controlplane.injector.manifest import rewrite
from controlplane.injector.operations import apply
from controlplane.injector.patch import Patch
from controlplane.injector.verdict import Skip
from tests.support.builders import documents
from tests.support.injection import BLOCK, TEMPLATE, build, cases, inject, injected, result

POD: dict[str, Any] = {
    "metadata": {"name": "cart", "labels": {"app": "cart"}},
    "spec": {"containers": [{"name": "cart", "image": "cart:1"}]},
}

MESH = """\
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {{name: default}}
spec: {{bootstrap: {bootstrap}}}
"""


def pod(
    *, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    found = copy.deepcopy(POD)
    found["metadata"]["labels"].update(labels or {})
    if annotations:
        found["metadata"]["annotations"] = annotations
    found["spec"].update(spec)
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.stem)
def test_the_injected_yaml_is_the_one_that_was_reviewed(case: Path) -> None:
    assert build(case) == result(case).read_text(encoding="utf-8"), "see `make golden`"


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.stem)
def test_injecting_twice_changes_nothing_more(case: Path) -> None:
    once = build(case)
    assert rewrite(once, inject)[0] == once


def test_a_sidecar_that_is_not_native_starts_first_and_holds_the_application_back() -> None:
    old = dataclasses.replace(TEMPLATE, minor=28)
    [first, *_] = apply(POD, inject(POD, template=old).operations)["spec"]["containers"]
    assert first["name"] == "breakwater-sidecar"
    assert first["lifecycle"]["postStart"]["exec"]["command"][:2] == ["breakwater-sidecar", "wait"]
    assert first["lifecycle"]["preStop"]["exec"]["command"][-2:] == ["--after=5", "--outbound-until=unused"]
    assert "--drain-timeout=25" in first["args"]


def test_a_native_sidecar_has_others_go_elsewhere_and_lets_its_application_call() -> None:
    [_, last] = apply(POD, inject(POD).operations)["spec"]["initContainers"]
    assert last["lifecycle"] == {
        "preStop": {
            "exec": {"command": ["breakwater-sidecar", "drain", "--after=5", "--outbound-until=signal"]}
        }
    }


def test_a_sidecar_is_told_what_the_mesh_says_of_those_without_a_configuration() -> None:
    told, left = passing("PassThrough", POD), passing("Wait", POD)
    assert "--pass-through-after=30" in flags_of(told)
    assert not [flag for flag in flags_of(left) if flag.startswith("--pass-through-after")]
    assert passing("Wait", told) == left
    assert passing("PassThrough", left) == told


def passing(bootstrap: str, found: dict[str, Any]) -> dict[str, Any]:
    """The pod with its sidecar, where the Mesh says this."""
    kept = {document.key: document for document in documents(MESH.format(bootstrap=bootstrap))}
    return apply(found, patch.inject_with(found, "shop", TEMPLATE, kept, BLOCK).operations)


def flags_of(found: dict[str, Any]) -> list[str]:
    """The flags of a native sidecar."""
    [flags] = [one["args"] for one in found["spec"]["initContainers"] if one["name"] == "breakwater-sidecar"]
    return list(flags)


@pytest.mark.parametrize("found", [POD, pod(annotations={"team": "a"}), pod(volumes=[{"name": "data"}])])
def test_uninject_gives_back_the_pod_that_was(found: dict[str, Any]) -> None:
    whole = injected(found)
    assert apply(whole, removal.uninject(whole)) == found


@pytest.mark.parametrize("case", cases(), ids=lambda path: path.stem)
def test_uninject_gives_back_the_yaml_that_was(case: Path) -> None:
    back = rewrite(build(case), lambda found, _: Patch(operations=removal.uninject(found)))[0]
    assert list(yaml.safe_load_all(back)) == list(yaml.safe_load_all(case.read_text(encoding="utf-8")))


def test_uninject_leaves_a_pod_without_a_sidecar_alone() -> None:
    assert removal.uninject(POD) == ()


@pytest.mark.parametrize(
    ("found", "namespace", "reason"),
    [
        (POD, "breakwater-system", Skip.OWN_NAMESPACE),
        (POD, "kube-system", Skip.SYSTEM_NAMESPACE),
        (pod(hostNetwork=True), "shop", Skip.HOST_NETWORK),
        (pod(labels={"breakwater.dev/inject": "false"}), "shop", Skip.OPTED_OUT),
        (pod(labels={"breakwater.dev/inject": "false"}, hostNetwork=False), "shop", Skip.OPTED_OUT),
    ],
)
def test_a_pod_is_left_alone_for_a_reason(found: dict[str, Any], namespace: str, reason: Skip) -> None:
    assert inject(found, namespace) == Patch(skip=reason)


def test_another_template_takes_the_place_of_the_one_before() -> None:
    found = injected(pod(annotations={"breakwater.dev/native-sidecar": "false"}))
    del found["metadata"]["annotations"]["breakwater.dev/native-sidecar"]
    again = injected(found)
    assert [one["name"] for one in again["spec"]["containers"]] == ["cart"]
    ours = ["breakwater-capture", "breakwater-sidecar"]
    assert [one["name"] for one in again["spec"]["initContainers"]] == ours
    assert [one["name"] for one in again["spec"]["volumes"]] == ["breakwater-identity", "breakwater-state"]


def test_what_others_changed_in_the_sidecar_stays() -> None:
    found = injected(POD)
    found["spec"]["initContainers"][1]["env"].append({"name": "ADDED", "value": "by another webhook"})
    assert inject(found).skip is Skip.INJECTED


@pytest.mark.parametrize(
    ("native", "where"), [("true", "initContainers"), ("false", "containers"), ("true", "volumes")]
)
def test_a_pod_that_only_says_so_gets_a_sidecar(native: str, where: str) -> None:
    whole = injected(pod(annotations={"breakwater.dev/native-sidecar": native}))
    copied = copy.deepcopy(whole)
    copied["spec"][where] = [
        one for one in copied["spec"][where] if not one["name"].startswith("breakwater-")
    ]
    again = injected(copied)
    assert {one["name"] for one in again["spec"][where]} == {one["name"] for one in whole["spec"][where]}
    assert inject(again).skip is Skip.INJECTED


def test_every_problem_of_a_pod_is_told_at_once() -> None:
    annotations = {
        "breakwater.dev/proxy-cpu": "lots",
        "breakwater.dev/image": "evil:1",
        "breakwater.dev/profile": "absent",
    }
    container = {"name": "cart", "ports": [{"containerPort": 15006}]}
    found = inject(pod(annotations=annotations, containers=[container]))
    assert [str(problem) for problem in found.problems] == [
        "metadata.annotations[breakwater.dev/profile]: there is no SidecarProfile shop/absent",
        "metadata.annotations[breakwater.dev/image]: there is no such annotation; there are "
        + found.problems[1].message.partition("there are ")[2],
        "metadata.annotations[breakwater.dev/proxy-cpu]: expected a quantity from 1m to 64, found 'lots'",
        "spec.containers[0].ports[0].containerPort: ports 15000 to 15199 are the sidecar's; choose another",
    ]
    assert not found.operations


def test_a_pod_that_says_less_time_than_leaving_takes_is_told() -> None:
    [warning] = inject(pod(terminationGracePeriodSeconds=29)).warnings
    assert str(warning) == (
        "spec.terminationGracePeriodSeconds: leaving takes up to 30 s (drain.delay and drain.timeout), "
        "the pod has 29 s"
    )
    assert not inject(POD).warnings
    assert inject(pod(annotations={"breakwater.dev/drain-delay": "6s"})).warnings


@pytest.mark.parametrize("capture", ["Explicit", "Redirect"])
def test_our_names_are_our_own(capture: str) -> None:
    found = pod(
        annotations={"breakwater.dev/capture": capture},
        volumes=[{"name": "breakwater-state", "hostPath": {"path": "/"}}],
        initContainers=[{"name": "breakwater-capture", "image": "none:1"}],
        containers=[{"name": "cart", "volumeMounts": [{"name": "breakwater-identity", "mountPath": "/a"}]}],
    )
    assert {problem.path for problem in inject(found).problems} == {
        "spec.volumes[0].name",
        "spec.initContainers[0].name",
        "spec.containers[0].volumeMounts[0].name",
    }


@pytest.mark.parametrize("sees", ["shareProcessNamespace", "hostPID"])
def test_our_user_is_taken_where_it_would_see_our_processes(sees: str) -> None:
    explicit = {"breakwater.dev/capture": "Explicit"}
    found = pod(annotations=explicit, securityContext={"runAsUser": 15001})
    found["spec"][sees] = True
    [problem] = inject(found).problems
    assert "whose processes it would see" in problem.message


def test_our_user_is_taken_only_where_it_would_escape_redirection() -> None:
    found = pod(securityContext={"runAsUser": 15001})
    [problem] = inject(found).problems
    assert problem.path == "spec.containers[0].securityContext.runAsUser"
    found["metadata"]["annotations"] = {"breakwater.dev/capture": "Explicit"}
    assert inject(found).operations
