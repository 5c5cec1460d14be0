"""Which policies act on what they target, as the targets say it (GEP-713): a kind of policies at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.policy import target
from controlplane.policy.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.kubernetes.objects import Key, Service
    from controlplane.snapshot.build import Snapshot

_SHOWN: Final = 5
_PREFIX: Final = f"{target.OUR_GROUP}/"
_SUFFIX: Final = "Affected"


def affecting(snapshot: Snapshot, places: Iterable[Target]) -> Iterator[tuple[str, str]]:
    """What says that a kind of policies acts on one of `places`, and which of them do; sorted."""
    found: dict[str, list[str]] = {}
    for each in snapshot.attachments.at(places):
        if not target.is_in_shadow(each.document):
            key = each.document.key
            found.setdefault(key.kind, []).append(f"{key.namespace}/{key.name}")
    for kind, names in sorted(found.items()):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{_PREFIX}{kind}{_SUFFIX}", f"{', '.join(names[:_SHOWN])}{more}"


def differing(snapshot: Snapshot, services: Mapping[Key, Service]) -> Iterator[tuple[Key, dict[str, str]]]:
    """The Services that do not say yet which policies target them, each with what it is to say."""
    for key, service in services.items():
        wanted = dict(affecting(snapshot, (Target("Service", key.namespace, key.name),)))
        if wanted != _said(service.metadata.annotations):
            yield key, wanted


def _said(annotations: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in annotations.items()
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }
