"""Profiles of sidecars."""

import pytest

from controlplane.model.document import Document
from controlplane.policy import sidecar_profile
from tests.support.builders import SCHEMA, documents, read

TEXT = """\
apiVersion: breakwater.dev/v1alpha1
kind: SidecarProfile
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
"""


def profile(name: str = "default", namespace: str = "shop", spec: str = "{}") -> Document:
    [document] = documents(TEXT.format(name=name, namespace=namespace, spec=spec))
    return document


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{capture: {mode: Explicit, excludeInboundPorts: [80]}}", "spec.capture.excludeInboundPorts"),
        ("{capture: {mode: Redirect, excludeOutboundCidrs: [all]}}", "spec.capture.excludeOutboundCidrs[0]"),
        ("{capture: {mode: Redirect, excludeInboundPorts: [0]}}", "spec.capture.excludeInboundPorts[0]"),
        ("{resources: {requests: {cpu: lots}}}", "spec.resources.requests.cpu"),
        ("{resources: {requests: {memory: 2Gi}}}", "spec.resources.requests.memory"),
        ("{drain: {delay: 1500ms}}", "spec.drain.delay"),
        ("{drain: {delay: 301s}}", "spec.drain.delay"),
        ("{drain: {timeout: 2500ms}}", "spec.drain.timeout"),
        ("{drain: {timeout: 3601s}}", "spec.drain.timeout"),
        ("{native: Perhaps}", "spec.native"),
        ("{patch: {image: 'evil:1'}}", "spec.patch.image"),
        ("{patch: {args: [--insecure]}}", "spec.patch.args"),
        ("{patch: {command: [sh]}}", "spec.patch.command"),
        ("{patch: {lifecycle: {}}}", "spec.patch.lifecycle"),
        ("{patch: {volumeMounts: []}}", "spec.patch.volumeMounts"),
        ("{patch: {envFrom: []}}", "spec.patch.envFrom"),
        ("{patch: {env: [{name: A, valueFrom: {}}]}}", "spec.patch.env[0].valueFrom"),
        ("{patch: {env: [{name: BREAKWATER_INSECURE, value: 'true'}]}}", "spec.patch.env[0].name"),
        ("{patch: {env: [{name: POD_NAME, value: other}]}}", "spec.patch.env[0].name"),
        ("{patch: {env: [{name: LD_PRELOAD, value: /a.so}]}}", "spec.patch.env[0].name"),
        ("{patch: {env: [{name: PYTHONPATH, value: /a}]}}", "spec.patch.env[0].name"),
        ("{patch: {env: [{name: PATH, value: /a}]}}", "spec.patch.env[0].name"),
        ("{patch: {env: [{name: A}, {name: B}, {name: A}]}}", "spec.patch.env[2].name"),
        ("{patch: {env: [{name: A-B}]}}", "spec.patch.env[0].name"),
        ("{patch: {securityContext: {privileged: true}}}", "spec.patch.securityContext.privileged"),
        ("{patch: {securityContext: {runAsUser: 0}}}", "spec.patch.securityContext.runAsUser"),
        (
            "{patch: {securityContext: {seccompProfile: {type: Unconfined}}}}",
            "spec.patch.securityContext.seccompProfile.type",
        ),
        (
            "{patch: {securityContext: {seccompProfile: {type: Localhost}}}}",
            "spec.patch.securityContext.seccompProfile",
        ),
        (
            "{patch: {securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a.json}}}}",
            "spec.patch.securityContext.seccompProfile",
        ),
        (
            "{patch: {securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}}}",
            "spec.patch.securityContext.seccompProfile.localhostProfile",
        ),
        ("{patch: {livenessProbe: {exec: {}}}}", "spec.patch.livenessProbe.exec"),
        ("{patch: {livenessProbe: {periodSeconds: 0}}}", "spec.patch.livenessProbe.periodSeconds"),
    ],
)
def test_what_is_no_profile_is_refused(spec: str, path: str) -> None:
    parsed = read(TEXT.format(name="default", namespace="shop", spec=spec))
    assert [problem.path for problem in parsed.problems] == [path]


def test_a_pod_gets_the_profile_it_names_else_that_of_its_namespace_else_that_of_the_root() -> None:
    found = {document.key: document for document in (profile(), profile("big"), profile(namespace="root"))}

    def name(namespace: str, wanted: str = "") -> str:
        document = sidecar_profile.find_document(found, namespace, wanted, "root")
        return document.key.qualified_name if document else ""

    assert name("shop", "big") == "shop/big"
    assert name("shop") == "shop/default"
    assert name("pay") == "root/default"
    assert not name("pay", "big")


def test_the_limits_that_requests_are_compared_with_are_the_defaults() -> None:
    block = SCHEMA.kinds[sidecar_profile.KIND].spec
    assert sidecar_profile.profile_of(None, block).limits == sidecar_profile._LIMITS
