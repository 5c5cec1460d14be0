"""A container of the pod's own that is laid over the sidecar."""

from typing import Any

import pytest

from controlplane.injector import removal
from controlplane.injector.operations import apply
from controlplane.injector.verdict import Skip
from tests.support.injection import inject, injected

OWN = "breakwater-sidecar"


def pod(*, within: str = "containers", **said: Any) -> dict[str, Any]:
    """A pod with such a container before its own."""
    spec: dict[str, Any] = {"containers": [{"name": "cart", "image": "cart:1"}]}
    spec.setdefault(within, []).insert(0, {"name": OWN, **said})
    return {"metadata": {"name": "cart"}, "spec": spec}


def sidecar(found: dict[str, Any]) -> dict[str, Any]:
    """The sidecar of an injected pod."""
    [container] = [one for one in found["spec"]["initContainers"] if one["name"] == OWN]
    return dict(container)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"image": "auto"},
        {"image": "sidecar:1"},
        {"image": "auto", "terminationMessagePath": "/dev/termination-log", "resources": {}},
        {
            "volumeMounts": [
                {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
            ]
        },
    ],
)
def test_what_says_nothing_changes_nothing(said: dict[str, Any]) -> None:
    plain = injected(
        {"metadata": {"name": "cart"}, "spec": {"containers": [{"name": "cart", "image": "cart:1"}]}}
    )
    found = injected(pod(**said))
    assert sidecar(found) == sidecar(plain)
    assert found["spec"]["containers"] == plain["spec"]["containers"]


def test_what_it_may_say_wins() -> None:
    found = sidecar(
        injected(
            pod(
                within="initContainers",
                restartPolicy="Always",
                env=[{"name": "TZ", "value": "UTC"}],
                imagePullPolicy="Always",
                terminationMessagePolicy="FallbackToLogsOnError",
                resources={"requests": {"cpu": "70m"}, "limits": {"memory": "1Gi"}},
            )
        )
    )
    assert found["env"][-1] == {"name": "TZ", "value": "UTC"}
    assert (found["imagePullPolicy"], found["terminationMessagePolicy"]) == (
        "Always",
        "FallbackToLogsOnError",
    )
    assert found["resources"] == {"requests": {"cpu": "70m", "memory": "32Mi"}, "limits": {"memory": "1Gi"}}
    assert found["image"] == "sidecar:1"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"image": "evil:1"}, "image"),
        ({"command": ["sh"]}, "command"),
        ({"args": ["--insecure"]}, "args"),
        ({"env": [{"name": "BREAKWATER_CONTROLPLANE", "value": "evil:1"}]}, "env[0].name"),
        ({"env": [{"name": "LD_PRELOAD", "value": "/a.so"}]}, "env[0].name"),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]},
            "env[0].valueFrom",
        ),
        ({"envFrom": [{"secretRef": {"name": "a"}}]}, "envFrom"),
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, "securityContext.capabilities"),
        ({"volumeMounts": [{"name": "a", "mountPath": "/usr"}]}, "volumeMounts"),
        ({"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}, "lifecycle"),
        ({"livenessProbe": {"exec": {"command": ["true"]}}}, "livenessProbe"),
        ({"ports": [{"containerPort": 80}]}, "ports"),
        ({"resources": {"claims": [{"name": "a"}]}}, "resources.claims"),
        ({"resources": {"requests": {"memory": "1Gi"}}}, "resources.requests.memory"),
        ({"restartPolicy": "Never"}, "restartPolicy"),
        ({"stdin": True}, "stdin"),
    ],
)
def test_what_it_may_not_say_is_refused_with_its_path(said: dict[str, Any], path: str) -> None:
    [problem] = inject(pod(**said)).problems
    assert problem.path == f"spec.containers[0].{path}"


def test_there_is_one_at_most() -> None:
    found = pod()
    found["spec"]["initContainers"] = [{"name": OWN}]
    [problem] = inject(found).problems
    assert problem.path == "spec.initContainers[0]"


@pytest.mark.parametrize("within", ["containers", "initContainers"])
def test_it_is_there_again_after_uninject_and_holds_after_another_injection(within: str) -> None:
    asking = pod(within=within, env=[{"name": "TZ", "value": "UTC"}])
    once = injected(asking)
    assert inject(once).skip is Skip.INJECTED
    assert apply(once, removal.uninject(once)) == asking
    once["metadata"]["annotations"]["breakwater.dev/log-level"] = "debug"
    assert sidecar(injected(once))["env"][-1] == {"name": "TZ", "value": "UTC"}
