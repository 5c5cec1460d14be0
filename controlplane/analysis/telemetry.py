"""What is recorded, and goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controlplane.model.codes import Code
from controlplane.model.value import find_block
from controlplane.policy import mesh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.analysis.world import World
    from controlplane.model.document import Problem


def find(world: World) -> Iterator[Problem]:
    """Spans that a Mesh asks for, where no control plane knows a collector."""
    if world.snapshot.inputs.keeps_traces:
        return
    for document in world.documents():
        if document.key == mesh.KEY and find_block(document.spec, mesh.TRACING) is not None:
            message = "sidecars record spans, and the control plane knows no collector to send them to"
            yield document.problem(f"spec.{mesh.TRACING}", message, code=Code.SPANS_LOST)
