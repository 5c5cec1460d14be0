"""All that is found, by one function for whoever asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controlplane.analysis import conflicts, injection, limits, merged, references, telemetry, versions
from controlplane.analysis.world import World
from controlplane.snapshot.build import Compiler, build
from controlplane.snapshot.inputs import Inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane.model.document import Document, Problem
    from controlplane.model.resource import Body
    from controlplane.model.schema import Schema
    from controlplane.snapshot.build import Snapshot


def analyze(world: World) -> tuple[Problem, ...]:
    """What is found in a world, sorted by object, then path. As long as compiling everything may take."""
    found = [
        *references.find(world),
        *conflicts.find(world),
        *merged.find(world),
        *limits.find(world),
        *injection.find_excluded(world),
        *versions.find(world),
        *telemetry.find(world),
    ]
    return tuple(sorted(found, key=lambda each: (each.file, each.object, each.line, each.path, each.message)))


def unrefused(documents: Iterable[Document], problems: Iterable[Problem]) -> tuple[Document, ...]:
    """The documents that no problem keeps out, about which it is worth asking what they mean to others."""
    refused = {problem.object for problem in problems if not problem.warning}
    return tuple(document for document in documents if str(document.key) not in refused)


def with_documents(snapshot: Snapshot, documents: Iterable[Document], schema: Schema) -> World:
    """The world as it would be with these documents, which are asked about, in the place of their like."""
    added = {document.key: document for document in documents}
    inputs = replace(snapshot.inputs, documents={**snapshot.inputs.documents, **added})
    after = build(inputs, Compiler(schema=schema, encode=_unsent), snapshot)
    return World(snapshot=after, asked=frozenset(added))


def of_files(documents: Iterable[Document], schema: Schema) -> World:
    """The world of which nothing is known but these documents."""
    inputs = Inputs(documents={document.key: document for document in documents})
    return World(snapshot=build(inputs, Compiler(schema=schema, encode=_unsent)), has_catalogue=False)


def _unsent(_: Body) -> bytes:
    """Nobody is sent what is only looked at."""
    return b""
