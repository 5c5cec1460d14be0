"""`breakwater inject` and `uninject`: sidecars in YAML, before it reaches a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controlplane.cli import options
from controlplane.cli.errors import FindingError, UsageError
from controlplane.injector import patch, removal
from controlplane.injector.manifest import Outcome, UnreadableManifestError, rewrite
from controlplane.injector.patch import Patch
from controlplane.injector.template import Template
from controlplane.policy import sidecar_profile
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse
from controlplane.version import program_version

if TYPE_CHECKING:
    from controlplane.injector.manifest import Change
    from controlplane.injector.pod import Pod
    from controlplane.model.document import Document, ObjectKey

_Files = Annotated[list[str], typer.Option("--filename", "-f", help="A YAML file, or - for standard input.")]
Profiles = Annotated[
    str, typer.Option("--profiles", metavar="FILE", help="YAML with SidecarProfiles, and the Mesh.")
]
_Image = Annotated[str, typer.Option("--sidecar-image", help="Image of the sidecar.")]
_CaptureImage = Annotated[str, typer.Option("--capture-image", help="Image that redirects traffic.")]
_ControlPlane = Annotated[
    str, typer.Option("--controlplane", metavar="HOST:PORT", help="Where sidecars find it.")
]
_Minor = Annotated[int, typer.Option("--kubernetes-minor", metavar="N", help="The N of Kubernetes 1.N.")]
Root = Annotated[str, typer.Option("--root-namespace", help="Namespace of the control plane.")]

_STDIN = ["-"]
_SIDECAR = f"breakwater-sidecar:{program_version()}"
_CAPTURE = f"breakwater-capture:{program_version()}"
_CONTROL_PLANE = "breakwater.breakwater-system.svc:15010"
_ROOT = "breakwater-system"
_MINOR = 33


def inject(
    *,
    filename: _Files = _STDIN,
    namespace: options.Namespace = options.NAMESPACE,
    profiles: Profiles = "",
    sidecar_image: _Image = _SIDECAR,
    capture_image: _CaptureImage = _CAPTURE,
    controlplane: _ControlPlane = _CONTROL_PLANE,
    kubernetes_minor: _Minor = _MINOR,
    root_namespace: Root = _ROOT,
) -> None:
    """Put the sidecar into the pods and workloads of YAML, and print it."""
    template = Template(
        sidecar_image=sidecar_image,
        capture_image=capture_image,
        controlplane=controlplane,
        minor=kubernetes_minor,
        root_namespace=root_namespace,
    )
    outcomes = _filter(filename, injection(template, read_profiles(profiles), namespace))
    _tell(outcomes, "injected")


def uninject(*, filename: _Files = _STDIN) -> None:
    """Take the sidecar out of the pods and workloads of YAML, and print it."""
    outcomes = _filter(filename, lambda pod, _: Patch(operations=removal.uninject(pod)))
    _tell(outcomes, "uninjected")


def example(root_namespace: str) -> Template:
    """Return a template that tells whether there is anything to inject, whatever the images."""
    return Template(
        sidecar_image=_SIDECAR,
        capture_image=_CAPTURE,
        controlplane=_CONTROL_PLANE,
        minor=_MINOR,
        root_namespace=root_namespace,
    )


def injection(template: Template, profiles: dict[ObjectKey, Document], default: str) -> Change:
    """Return what puts sidecars into pods; one that names no namespace is of the `default`."""
    block = load_schema().kinds[sidecar_profile.KIND].spec

    def change(pod: Pod, written: str) -> Patch:
        namespace = written or default
        return patch.inject_with(pod, namespace, template, profiles, block)

    return change


def read_profiles(path: str) -> dict[ObjectKey, Document]:
    """Return the profiles in a file, and the Mesh; none without one.

    Raises:
        UsageError: it cannot be read, or something in it is wrong.
    """
    if not path:
        return {}
    parsed = parse(_read(path), path, load_schema())
    if not parsed.is_valid:
        raise UsageError("\n".join(str(problem) for problem in parsed.problems if not problem.warning))
    return {document.key: document for document in parsed.documents}


def _filter(names: list[str], change: Change) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name in names:
        text, found = rewritten(name, change)
        sys.stdout.write(text)
        outcomes += found
    return outcomes


def rewritten(name: str, change: Change) -> tuple[str, list[Outcome]]:
    """Return the text of a file after `change` was made to its pods, and what became of each object.

    Raises:
        UsageError: it cannot be read, or is no YAML.
    """
    try:
        return rewrite(_read(name), change)
    except UnreadableManifestError as error:
        raise UsageError(f"{name}: {error}") from error


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {error}") from error


def _tell(outcomes: list[Outcome], done: str) -> None:
    """The summary, on standard error; problems end the command."""
    for outcome in outcomes:
        print(f"{outcome.object} {_told(outcome.patch, done)}", file=sys.stderr)
        for warning in outcome.patch.warnings if outcome.patch else ():
            print(f"  {warning.coded}", file=sys.stderr)
    if any(outcome.patch and outcome.patch.problems for outcome in outcomes):
        raise FindingError("what has problems was left as it is; mend them, and run the command again")


def _told(change: Patch | None, done: str) -> str:
    if change is None or not (change.skip or change.problems or change.operations):
        return "skipped: no pod of ours in it"
    if change.problems:
        return "has problems:\n" + "\n".join(f"  {problem}" for problem in change.problems)
    return f"skipped: {change.skip.value}" if change.skip else done
