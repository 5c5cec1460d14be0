"""What a pod lays over the sidecar that it is given: a container of its own by the same name.

It may say what a profile may in `resources` and `patch`, but for probes, whose figures Kubernetes fills in by
itself. Pods are refused that would thereby run something else in there, or as somebody else.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from controlplane.injector import names
from controlplane.injector.merging import lay_over
from controlplane.injector.pod import CONTAINERS, Pod, block, entries
from controlplane.model.codes import Code
from controlplane.model.document import Problem
from controlplane.model.schema import Block
from controlplane.model.value import find_block
from controlplane.policy import sidecar_patch
from controlplane.policy.sidecar_profile import Profile, exceeding
from controlplane.sources.blocks import Reading
from controlplane.sources.nodes import UnreadableError, compose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.injector.template import Template
    from controlplane.model.value import Tree

_PROBES: Final = {"startupProbe", "readinessProbe", "livenessProbe"}
_AUTO: Final = "auto"
_AS_GIVEN: Final[Mapping[str, Any]] = {
    "name": names.SIDECAR,
    "terminationMessagePath": "/dev/termination-log",
    "restartPolicy": "Always",
}
"""What Kubernetes fills in, and what says no more than that a sidecar is meant."""


class Overlay(NamedTuple):
    """Such a container, and where in the pod it is."""

    within: str
    place: int
    container: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Where it stands, as problems say it."""
        return f"spec.{self.within}[{self.place}]"


def find_overlays(pod: Pod) -> tuple[Overlay, ...]:
    """Every container by the name of the sidecar."""
    return tuple(
        Overlay(name, index, container)
        for name in CONTAINERS
        for index, container in enumerate(entries(block(pod, "spec"), name))
        if container.get("name") == names.SIDECAR
    )


def apply_overlays(
    found: tuple[Overlay, ...], template: Template, profile: Profile, spec: Block
) -> tuple[Profile, list[Problem]]:
    """The profile with what they say in place of its own, and all that is wrong with them.

    `spec` is that of profiles.
    """
    problems = [
        _problem(further.path, "there is such a container already; keep one") for further in found[1:]
    ]
    for overlay in found[:1]:
        tree, faults = _read(overlay, template, spec)
        problems += [_problem(path, message) for path, message in faults]
        profile = _laid_over(profile, tree)
        problems += [_problem(f"{overlay.path}.{path}", message) for path, message in _misfits(tree, profile)]
    return profile, problems


def _read(overlay: Overlay, template: Template, spec: Block) -> tuple[Tree, list[tuple[str, str]]]:
    said = {name: value for name, value in overlay.container.items() if _AS_GIVEN.get(name) != value}
    if said.get("image", _AUTO) in {"", _AUTO, template.sidecar_image}:
        said.pop("image", None)
    if "volumeMounts" in said and all(_is_token(one) for one in entries(said, "volumeMounts")):
        del said["volumeMounts"]
    reading = Reading()
    try:
        [node] = compose(json.dumps(said, default=str))
    except UnreadableError as error:
        return {}, [(overlay.path, error.message)]
    tree = reading.block(_fields(spec), node, overlay.path)
    return tree, [(path, message) for _, path, message in reading.faults]


def _is_token(mount: Mapping[str, Any]) -> bool:
    """Whether the API server added it, as it does to every container."""
    return mount.get("mountPath") == names.API_PLACE


def _fields(spec: Block) -> Block:
    """What such a container may say."""
    patch = spec.fields["patch"].block
    known = {name: field for name, field in patch.fields.items() if name not in _PROBES} if patch else {}
    return Block(name="Overlay", fields={"resources": spec.fields["resources"], **known})


def _laid_over(profile: Profile, tree: Tree) -> Profile:
    patch = {name: value for name, value in tree.items() if name != "resources"}
    return replace(
        profile,
        requests={**profile.requests, **_quantities(tree, "resources.requests")},
        limits={**profile.limits, **_quantities(tree, "resources.limits")},
        patch=lay_over(profile.patch, sidecar_patch.as_json(patch)),
    )


def _quantities(tree: Tree, path: str) -> Mapping[str, str]:
    return sidecar_patch.as_json(find_block(tree, path) or {})  # type: ignore[no-any-return]  # texts by the contract


def _misfits(tree: Tree, profile: Profile) -> Iterator[tuple[str, str]]:
    yield from sidecar_patch.find_misfits(tree)
    if "resources" in tree:
        for resource, message in exceeding(profile):
            yield f"resources.requests.{resource}", message


def _problem(path: str, message: str) -> Problem:
    return Problem(path=path, message=message, code=Code.NOT_INJECTABLE)
