"""Golden pairs of injection: YAML in, YAML with sidecars out.

`python -m tests.support.golden` rewrites them for review.
"""

from pathlib import Path
from typing import Any

from controlplane.injector import patch
from controlplane.injector.manifest import rewrite
from controlplane.injector.operations import apply
from controlplane.injector.patch import Patch
from controlplane.injector.pod import Pod
from controlplane.injector.template import Template
from controlplane.policy import sidecar_profile
from tests.support.builders import SCHEMA, documents

FOLDER = Path(__file__).parent.parent / "testdata" / "injection"
BLOCK = SCHEMA.kinds[sidecar_profile.KIND].spec
TEMPLATE = Template(
    sidecar_image="sidecar:1",
    capture_image="capture:1",
    controlplane="breakwater.breakwater-system.svc:15010",
    minor=33,
)
PROFILES = {
    document.key: document
    for document in documents(
        """\
        apiVersion: breakwater.dev/v1alpha1
        kind: SidecarProfile
        metadata: {name: redirected, namespace: shop}
        spec:
          capture: {mode: Redirect, excludeInboundPorts: [9100], excludeOutboundCidrs: [10.9.0.0/16]}
          resources: {requests: {cpu: 50m}}
          drain: {timeout: 20s}
          patch:
            env: [{name: TZ, value: UTC}]
            imagePullPolicy: IfNotPresent
            securityContext: {seccompProfile: {type: Localhost, localhostProfile: breakwater.json}}
            startupProbe: {failureThreshold: 600}
        """
    )
}


def inject(pod: Pod, namespace: str = "shop", template: Template = TEMPLATE) -> Patch:
    """What is done with a pod under the profiles of the golden pairs."""
    return patch.inject_with(pod, namespace, template, PROFILES, BLOCK)


def injected(pod: Pod, namespace: str = "shop") -> dict[str, Any]:
    """The pod with its sidecar; it must get one."""
    found = inject(pod, namespace)
    assert found.operations, found
    return apply(pod, found.operations)


def cases() -> list[Path]:
    """The YAML of every pair."""
    return sorted(path for path in FOLDER.glob("*.yaml") if not path.name.endswith(".injected.yaml"))


def result(case: Path) -> Path:
    """Where what comes out is kept."""
    return case.with_suffix(".injected.yaml")


def build(case: Path) -> str:
    """What comes out."""
    return rewrite(case.read_text(encoding="utf-8"), inject)[0]


def rewrite_all() -> None:
    """Writes every result anew."""
    for case in cases():
        result(case).write_text(build(case), encoding="utf-8")
