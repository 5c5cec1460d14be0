"""Programs of different versions that work together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.codes import Code
from controlplane.model.document import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.analysis.world import World


def find(world: World) -> Iterator[Problem]:
    """Sidecars of another version than the control plane."""
    for sidecar in world.sidecars:
        if sidecar.version != world.version:
            message = f"is {sidecar.version}, and the control plane {world.version}"
            yield Problem(object=f"sidecar {sidecar.instance}", message=message, code=Code.SIDECAR_VERSION)
