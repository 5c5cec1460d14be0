"""Takes out of a pod what was put in, and puts back what was there, as its annotation says.

Whoever may create a pod may write that annotation: nothing but what is ours is taken out by it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from controlplane.injector import names, probes, scrape
from controlplane.injector.operations import Operation
from controlplane.injector.overlay import find_overlays
from controlplane.injector.pod import CONTAINERS, Pod, block, entries, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWN_NAMES: Final = {
    "initContainers": (names.CAPTURE, names.SIDECAR),
    "containers": (names.SIDECAR,),
    "volumes": names.VOLUMES,
}


def uninject(pod: Pod) -> tuple[Operation, ...]:
    """The patch that takes out all that was put in; nothing when nothing was."""
    return tuple(_removals(pod)) if names.STATUS in texts(pod, "annotations") else ()


def is_injected(pod: Pod) -> bool:
    """Whether a sidecar was put into the pod, and is in there."""
    return names.STATUS in texts(pod, "annotations") and bool(find_overlays(pod))


def status_of(pod: Pod) -> Mapping[str, Any]:
    """What the annotation says that was put in and changed; it may say anything."""
    try:
        status = json.loads(texts(pod, "annotations").get(names.STATUS, "{}"))
    except (ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}


def _removals(pod: Pod) -> Iterator[Operation]:
    own = {names.STATUS} | ({names.DEFAULT_CONTAINER} & _texts(status_of(pod).get("annotations")))
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
    yield from _overlay_back(pod)


def _texts(found: Any) -> set[str]:
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()


def _overlay_back(pod: Pod) -> Iterator[Operation]:
    """Puts back what the pod lays over the sidecar, to where it was."""
    said = block(status_of(pod), "overlay")
    name, place, container = said.get("within"), said.get("place"), block(said, "container")
    if name not in CONTAINERS or container.get("name") != names.SIDECAR or not isinstance(place, int):
        return
    found = entries(block(pod, "spec"), name)
    rest = len(found) - len(_places(pod, name, _OWN_NAMES[name]))
    if not rest:
        yield Operation("add", ("spec", name), [])
    yield Operation("add", ("spec", name, min(max(place, 0), rest)), container)


def _changed(pod: Pod, name: str) -> Mapping[str, Any]:
    """What there was before, of things of the pod's own that were changed."""
    return block(status_of(pod), name)


def _places(pod: Pod, name: str, own: tuple[str, ...]) -> list[int]:
    """Where in a list the entries with these names are, the last first."""
    found = entries(block(pod, "spec"), name)
    return [index for index in reversed(range(len(found))) if found[index].get("name") in own]
