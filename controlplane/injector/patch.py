"""A pod and its profile to the JSON patch that puts the sidecar in.

What was put in is written into an annotation, with a hash of the template: a pod that has this very sidecar
is left as it is, and one with another gets it in place of that. The patch touches nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from controlplane.injector import cautions, containers, names, probes, scrape
from controlplane.injector.annotations import read
from controlplane.injector.operations import Operation, apply
from controlplane.injector.overlay import Overlay, apply_overlays, find_overlays
from controlplane.injector.pod import Pod, block, entries, texts
from controlplane.injector.presence import is_there
from controlplane.injector.removal import status_of, uninject
from controlplane.injector.verdict import Skip, find_skip, obstacles
from controlplane.model.codes import Code
from controlplane.model.document import Document, ObjectKey, Problem
from controlplane.policy import mesh
from controlplane.policy.sidecar_profile import Capture, Profile, find_document, profile_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from controlplane.injector.template import Template
    from controlplane.model.schema import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What to do with a pod: `skip` says why nothing; problems, when there are any, are all there are.

    `warnings` are about a pod that gets its sidecar, or has it.
    """

    operations: tuple[Operation, ...] = ()
    skip: Skip | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What goes into one pod."""

    lists: Mapping[str, tuple[tuple[Literal["first", "last"], Mapping[str, Any]], ...]]
    listeners: Mapping[int, int]
    probes: Mapping[str, probes.Original]
    scrape: Mapping[str, str]
    overlays: tuple[Overlay, ...]

    @property
    def hash(self) -> str:
        text = json.dumps(
            [self.lists, list(self.listeners.items()), self.probes, self.scrape, self.overlays],
            sort_keys=True,
            default=str,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def status(self, annotations: Collection[str]) -> str:
        """The annotation that says what is ours, where the sidecar listens, and what leads to it."""
        status = {
            "template": self.hash,
            "listeners": {str(port): listen for port, listen in self.listeners.items()},
            "annotations": list(annotations),
            **({"probes": self.probes} if self.probes else {}),
            **({"scrape": self.scrape} if self.scrape else {}),
            **({"overlay": self.overlays[0]._asdict()} if self.overlays else {}),
        }
        return json.dumps(status, separators=(",", ":"), default=str)


def inject(pod: Pod, namespace: str, template: Template, profile: Profile, spec: Block) -> Patch:
    """The patch that puts the sidecar into a pod of `namespace`, where `profile` holds.

    `spec` is that of profiles.
    """
    skip = find_skip(pod, namespace, template)
    if skip:
        return Patch(skip=skip)
    before = uninject(pod)
    bare = apply(pod, before)
    profile, problems = read(texts(bare, "annotations"), profile)
    overlays, alone = find_overlays(bare), _without_overlays(bare)
    profile, faults = apply_overlays(overlays, template, profile, spec)
    problems += [*faults, *obstacles(alone, profile)]
    if problems:
        return Patch(problems=tuple(problems))
    parts, warnings = _parts(alone, template, profile, overlays), tuple(cautions.find(alone, profile))
    if status_of(pod).get("template") == parts.hash and is_there(block(pod, "spec"), parts.lists):
        return Patch(skip=Skip.INJECTED, warnings=warnings)
    return Patch(operations=(*before, *_additions(bare, parts)), warnings=warnings)


def inject_with(
    pod: Pod,
    namespace: str,
    template: Template,
    documents: Mapping[ObjectKey, Document],
    block: Block,
) -> Patch:
    """As `inject`, with the profile that the pod gets among all documents, and what the Mesh says of all.

    `block` is the spec of a profile.
    """
    template = replace(template, passes_through=mesh.passes_through(documents.get(mesh.KEY)))
    name = texts(pod, "annotations").get(names.PROFILE, "")
    document = find_document(documents, namespace, name, template.root_namespace)
    if name and document is None:
        message = f"there is no SidecarProfile {namespace}/{name[:80]}"
        problem = Problem(
            path=f"metadata.annotations[{names.PROFILE}]", message=message, code=Code.NOT_INJECTABLE
        )
        found = inject(pod, namespace, template, profile_of(None, block), block)
        return found if found.skip else Patch(problems=(problem, *found.problems))
    return inject(pod, namespace, template, profile_of(document, block), block)


def _parts(pod: Pod, template: Template, profile: Profile, overlays: tuple[Overlay, ...]) -> _Parts:
    native, sidecar = template.is_native(profile), containers.sidecar(pod, template, profile)
    own = containers.capture(template, profile)
    redirect = profile.capture is Capture.REDIRECT
    # What runs before a sidecar that is not native could reach nobody through it: rules come last there.
    captures = (("first" if native else "last", own),) if redirect else ()
    return _Parts(
        lists={
            "initContainers": (*((("first", sidecar),) if native else ()), *captures),
            "containers": () if native else (("first", sidecar),),
            "volumes": tuple(("last", volume) for volume in containers.volumes(template)),
        },
        listeners=containers.listeners(pod, profile),
        probes=probes.rewritten(pod, profile),
        scrape=scrape.led(pod),
        overlays=overlays,
    )


def _without_overlays(pod: Pod) -> Pod:
    """The pod without the containers that it lays over ours."""
    return apply(pod, _overlay_removals(pod))


def _overlay_removals(pod: Pod) -> tuple[Operation, ...]:
    return tuple(Operation("remove", ("spec", one.within, one.place)) for one in reversed(find_overlays(pod)))


def _additions(pod: Pod, parts: _Parts) -> Iterator[Operation]:
    yield from _overlay_removals(pod)
    bare = _without_overlays(pod)
    yield from _annotations(bare, parts)
    yield from probes.additions(bare, parts.probes)
    yield from scrape.additions(parts.scrape)
    for name, additions in parts.lists.items():
        yield from _list_additions(bare, name, additions)


def _annotations(pod: Pod, parts: _Parts) -> Iterator[Operation]:
    present = texts(pod, "annotations")
    if not block(pod, "metadata"):
        yield Operation("add", ("metadata",), {})
    if not present:
        yield Operation("add", ("metadata", "annotations"), {})
    defaults = [name for name in (names.DEFAULT_CONTAINER,) if name not in present]
    for name in defaults:
        first = str(entries(block(pod, "spec"), "containers")[0].get("name", ""))
        yield Operation("add", ("metadata", "annotations", name), first)
    yield Operation("add", ("metadata", "annotations", names.STATUS), parts.status(defaults))


def _list_additions(
    pod: Pod,
    name: str,
    additions: tuple[tuple[Literal["first", "last"], Mapping[str, Any]], ...],
) -> Iterator[Operation]:
    count = len(entries(block(pod, "spec"), name))
    if additions and not count:
        yield Operation("add", ("spec", name), [])
    for place, part in additions:
        yield Operation("add", ("spec", name, 0 if place == "first" else count), part)
        count += 1
