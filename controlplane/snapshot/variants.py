"""Effective settings of callers, one variant for every class of them that is treated in its own way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from controlplane.model.effective import OutboundVariant, PolicyRef
from controlplane.model.value import Tree, find_text
from controlplane.policy import mesh, resilience, target
from controlplane.policy.merge import Contribution, Strategy, merge, trace
from controlplane.policy.target import Level
from controlplane.snapshot import callers
from controlplane.snapshot.bulkheads import agree, oldest_sharer, stated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from controlplane.model.document import Document
    from controlplane.model.effective import CallerMatch, FieldOrigin
    from controlplane.model.schema import Schema
    from controlplane.snapshot.attachments import Attached, Attachments


def resilience_of(attached: Iterable[Attached]) -> list[Attached]:
    """Those that are resilience policies."""
    return [each for each in attached if each.document.key.kind == resilience.KIND]


def variants(
    attached: Sequence[Attached],
    attachments: Attachments,
    mesh_document: Document | None,
    schema: Schema,
    said: Sequence[Contribution] = (),
) -> tuple[OutboundVariant, ...]:
    """One variant per class of callers that differs from the next more general one.

    `attached` are resilience policies; `said` is what else is said for everybody.
    """
    defaults = [*_mesh_defaults(mesh_document), *said]
    kept: list[OutboundVariant] = []
    mentioned = {caller for each in attached for caller in each.callers}
    for match in reversed(callers.classes(mentioned)):
        variant = _variant(match, attached, attachments, defaults, schema)
        general = next((each for each in kept if callers.covers(each.caller or callers.ANY, match)), None)
        if general is None or replace(variant, caller=general.caller) != general:
            kept.insert(0, variant)
    return tuple(kept)


def _variant(
    match: CallerMatch,
    attached: Sequence[Attached],
    attachments: Attachments,
    said: Sequence[Contribution],
    schema: Schema,
) -> OutboundVariant:
    governing = [(each, rank) for each in attached if (rank := callers.rank(each.callers, match)) is not None]
    acting = [(each, rank) for each, rank in governing if not target.is_in_shadow(each.document)]
    settings, origins = _merged(acting, attachments, said, schema)
    variant = OutboundVariant(
        caller=None if match == callers.ANY else match, resilience=settings, origins=origins
    )
    if len(acting) == len(governing):
        return variant
    shadow, shadow_origins = _merged(governing, attachments, said, schema)
    return replace(variant, shadow=shadow, shadow_origins=shadow_origins)


def _merged(
    governing: Sequence[tuple[Attached, int]],
    attachments: Attachments,
    said: Sequence[Contribution],
    schema: Schema,
) -> tuple[Tree, tuple[FieldOrigin, ...]]:
    """What policies, each of a rank, say together with what else is said, and where each field came from."""
    block = schema.blocks["Resilience"]
    contributions = list(said)
    for each, rank in governing:
        contributions += _contributions(each, rank, attachments, schema)
    merged = merge(contributions, block)
    tree = resilience.complete(merged.tree, block)
    return tree, trace(tree, merged.origins)


def _mesh_defaults(document: Document | None) -> Iterator[Contribution]:
    if document is not None:
        settings = resilience.behaviours(mesh.default_resilience(document), document.key.namespace)
        yield default_contribution(document, settings)


def default_contribution(document: Document, settings: Tree) -> Contribution:
    """What the Mesh says for everybody: the weakest there is."""
    return Contribution(
        policy=_ref(document),
        level=Level.DEFAULTS.text,
        strategy=Strategy.PATCH_DEFAULTS,
        specificity=(False, Level.DEFAULTS, 0),
        age=document.age,
        settings=settings,
    )


def _contributions(
    attached: Attached, rank: int, attachments: Attachments, schema: Schema
) -> Iterator[Contribution]:
    """What a policy says; a bulkhead shared with an older policy is what the older one says.

    Where both mean the same figures, they are this one's words, too.
    """
    document = attached.document
    settings = dict(resilience.behaviours(document.spec, document.key.namespace))
    oldest = oldest_sharer(attachments, document)
    if oldest is not document:
        del settings["bulkhead"]
        author = document if agree(oldest, document, schema) else oldest
        yield contribution(attached, rank, author, {"bulkhead": stated(oldest)})
    yield contribution(attached, rank, document, settings)


def contribution(attached: Attached, rank: int, author: Document, settings: Tree) -> Contribution:
    """What a policy says about callers of this rank, in the words of `author`."""
    return Contribution(
        policy=_ref(author),
        level=attached.level.text,
        strategy=Strategy(find_text(attached.document.spec, "merge") or Strategy.PATCH_DEFAULTS.value),
        specificity=(attached.is_consumer, attached.level, rank),
        age=attached.document.age,
        settings=settings,
    )


def _ref(document: Document) -> PolicyRef:
    return PolicyRef(key=document.key, generation=document.generation)
