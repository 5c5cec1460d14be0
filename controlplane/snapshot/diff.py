"""What is different between two snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.snapshot.changes import changes

if TYPE_CHECKING:
    from controlplane.model.resource import Resource, ResourceName
    from controlplane.snapshot.build import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Resources that are new or have another version, and names of those that are gone; each sorted."""

    changed: tuple[Resource, ...] = ()
    removed: tuple[ResourceName, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def diff(before: Snapshot | None, after: Snapshot) -> Difference:
    """What must be sent to whoever has all of `before` so that they have all of `after`."""
    went, came = changes(before.resources if before else {}, after.resources)
    changed = [
        resource
        for name, resource in came.items()
        if (known := went.get(name)) is None or known.version != resource.version
    ]
    return Difference(
        changed=tuple(sorted(changed, key=lambda resource: resource.name)),
        removed=tuple(sorted(went.keys() - came.keys())),
    )
