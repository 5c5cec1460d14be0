"""A pod and its profile to the JSON patch that puts the sidecar in, or takes it out again.

What was put in is written into an annotation, with a hash of the template: a pod that has this very sidecar
is left as it is, and one with another gets it in place of that. The patch touches nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from controlplane.injector import containers, names, probes, scrape
from controlplane.injector.annotations import read
from controlplane.injector.operations import Operation, apply
from controlplane.injector.overlay import lay_over
from controlplane.injector.pod import CONTAINERS, Pod, block, entries, texts
from controlplane.injector.verdict import Skip, find_skip, obstacles
from controlplane.model.codes import Code
from controlplane.model.document import Document, ObjectKey, Problem
from controlplane.policy import mesh
from controlplane.policy.sidecar_profile import Capture, Profile, find_document, profile_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from controlplane.injector.template import Template
    from controlplane.model.schema import Block

_OWN_NAMES: Final = {
    "initContainers": {names.CAPTURE, names.SIDECAR},
    "containers": {names.SIDECAR},
    "volumes": {names.IDENTITY_VOLUME, names.STATE_VOLUME},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """What to do with a pod: `skip` says why nothing; problems, when there are any, are all there are."""

    operations: tuple[Operation, ...] = ()
    skip: Skip | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What goes into one pod."""

    lists: Mapping[str, tuple[tuple[Literal["first", "last"], Mapping[str, Any]], ...]]
    listeners: Mapping[int, int]
    probes: Mapping[str, probes.Original]
    scrape: Mapping[str, str]

    @property
    def hash(self) -> str:
        text = json.dumps(
            [self.lists, list(self.listeners.items()), self.probes, self.scrape], sort_keys=True
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
        }
        return json.dumps(status, separators=(",", ":"))


def inject(pod: Pod, namespace: str, template: Template, profile: Profile) -> Patch:
    """The patch that puts the sidecar into a pod of `namespace`, where `profile` holds."""
    skip = find_skip(pod, namespace, template)
    if skip:
        return Patch(skip=skip)
    before = uninject(pod)
    bare = apply(pod, before)
    profile, problems = read(texts(bare, "annotations"), profile)
    problems += obstacles(_without_overlay(bare), profile)
    if problems:
        return Patch(problems=tuple(problems))
    parts = _parts(_without_overlay(bare), template, profile)
    if _status(pod).get("template") == parts.hash and _has(pod, parts):
        return Patch(skip=Skip.INJECTED)
    return Patch(operations=(*before, *_additions(bare, parts)))


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
        found = inject(pod, namespace, template, profile_of(None, block))
        return found if found.skip else Patch(problems=(problem, *found.problems))
    return inject(pod, namespace, template, profile_of(document, block))


def uninject(pod: Pod) -> tuple[Operation, ...]:
    """The patch that takes out all that was put in; nothing when nothing was."""
    return tuple(_removals(pod)) if names.STATUS in texts(pod, "annotations") else ()


def is_injected(pod: Pod) -> bool:
    """Whether a sidecar was put into the pod."""
    return bool(uninject(pod))


def _status(pod: Pod) -> Mapping[str, Any]:
    try:
        status = json.loads(texts(pod, "annotations").get(names.STATUS, "{}"))
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _parts(pod: Pod, template: Template, profile: Profile) -> _Parts:
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
    )


def _has(pod: Pod, parts: _Parts) -> bool:
    """Whether all of `parts` are in the pod by their names: its annotation may be a copy of another's."""
    return all(
        {part["name"] for _, part in additions}
        <= {one.get("name") for one in entries(block(pod, "spec"), name)}
        for name, additions in parts.lists.items()
    )


def _without_overlay(pod: Pod) -> Pod:
    """The pod without the container that it lays over ours."""
    return apply(pod, _own_containers(pod))


def _own_containers(pod: Pod) -> tuple[Operation, ...]:
    return tuple(
        Operation("remove", ("spec", name, index))
        for name in CONTAINERS
        for index in _places(pod, name, {names.SIDECAR})
    )


def _removals(pod: Pod) -> Iterator[Operation]:
    own = {names.STATUS} | ({names.DEFAULT_CONTAINER} & set(_status(pod).get("annotations") or ()))
    present = texts(pod, "annotations")
    if present.keys() <= own:
        yield Operation("remove", ("metadata", "annotations"))
    else:
        for name in sorted(own & present.keys()):
            yield Operation("remove", ("metadata", "annotations", name))
    yield from probes.removals(pod, _changed(pod, "probes"))
    yield from scrape.removals(pod, _changed(pod, "scrape"))
    for name, ours in _OWN_NAMES.items():
        places = _places(pod, name, ours)
        if places and len(places) == len(entries(block(pod, "spec"), name)):
            yield Operation("remove", ("spec", name))
        else:
            yield from (Operation("remove", ("spec", name, index)) for index in places)


def _changed(pod: Pod, name: str) -> Mapping[str, Any]:
    """What there was before, of things of the pod's own that were changed."""
    return block(_status(pod), name)


def _places(pod: Pod, name: str, own: set[str]) -> list[int]:
    """Where in a list the entries with these names are, the last first."""
    found = entries(block(pod, "spec"), name)
    return [index for index in reversed(range(len(found))) if found[index].get("name") in own]


def _additions(pod: Pod, parts: _Parts) -> Iterator[Operation]:
    overlay = _overlay(pod)
    yield from _own_containers(pod)
    bare = _without_overlay(pod)
    yield from _annotations(bare, parts)
    yield from probes.additions(bare, parts.probes)
    yield from scrape.additions(parts.scrape)
    for name, additions in parts.lists.items():
        yield from _list_additions(bare, name, additions, overlay)


def _overlay(pod: Pod) -> Mapping[str, Any]:
    spec = block(pod, "spec")
    found = [one for name in CONTAINERS for one in entries(spec, name) if one.get("name") == names.SIDECAR]
    return found[0] if found else {}


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
    overlay: Mapping[str, Any],
) -> Iterator[Operation]:
    count = len(entries(block(pod, "spec"), name))
    if additions and not count:
        yield Operation("add", ("spec", name), [])
    for place, part in additions:
        whole = lay_over(part, overlay) if part["name"] == names.SIDECAR else part
        yield Operation("add", ("spec", name, 0 if place == "first" else count), whole)
        count += 1
