"""Which services a change of documents or of the catalogue may concern."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from controlplane.policy import external_service, route, target
from controlplane.snapshot.addresses import addresses_of
from controlplane.snapshot.attachments import shared_bulkhead
from controlplane.snapshot.changes import changes
from controlplane.snapshot.services import service_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controlplane.model.document import Document
    from controlplane.policy.target import Target
    from controlplane.snapshot.attachments import Attachments
    from controlplane.snapshot.inputs import Inputs
    from controlplane.snapshot.routes import Routes
    from controlplane.snapshot.services import KnownService
    from registry.model import ServiceName


class Affected(NamedTuple):
    """The services whose rules may differ, and those of which only endpoints do.

    Endpoints change a hundred times as often as policies, and compiling these costs a hundred times as much.
    """

    rules: set[ServiceName]
    endpoints: set[ServiceName]


def affected(
    before: Inputs,
    after: Inputs,
    documents: Iterable[Document],
    attachments: tuple[Attachments, Attachments],
    routes: tuple[Routes, Routes],
) -> Affected:
    """The services whose resources may differ.

    `documents` are those that went or came, `attachments` and `routes` what there was before and is after.
    """
    places: set[Target] = set()
    names: set[ServiceName] = set()
    for document in documents:
        for each in (document, *_twins(document, before, after)):
            places.update(_places(each, attachments))
        if document.key.kind == external_service.KIND:
            names.add(service_of(document))
    rules = names | after.names_at(places)
    went, came = changes(before.services, after.services)
    others = (went.keys() | came.keys()) - rules
    moved = {name for name in others if _is_ruled_alike(before.find_service(name), after.find_service(name))}
    rules |= others - moved
    rules |= {parent for index in routes for parent in index.parents_of(rules)}
    rules |= {backend for index in routes for backend in index.backends_of(rules)}
    return Affected(rules=rules, endpoints=moved - rules)


def hosts_change(before: Inputs, after: Inputs, documents: Iterable[Document], touched: Affected) -> bool:
    """Whether host names or addresses may lead elsewhere; `touched` is what these documents concern."""
    if any(document.key.kind == external_service.KIND for document in documents):
        return True
    if before.services is after.services:
        return False
    return before.services.keys() != after.services.keys() or any(
        addresses_of(before.services.get(name)) != addresses_of(after.services.get(name))
        for name in touched.rules | touched.endpoints
    )


def _is_ruled_alike(before: KnownService | None, after: KnownService | None) -> bool:
    return before is not None and after is not None and before.ruled_by == after.ruled_by


def _twins(document: Document, *all_inputs: Inputs) -> Iterator[Document]:
    """The route of another kind that has the name of this one, which decides what either is called."""
    key = route.twin(document.key)
    if key is not None:
        yield from (inputs.documents[key] for inputs in all_inputs if key in inputs.documents)


def _places(document: Document, indexes: tuple[Attachments, Attachments]) -> Iterator[Target]:
    """Where a document is attached, what a route governs, and where those are that share its bulkhead."""
    yield from target.targets(document)
    yield from (parent.target for parent in route.parents(document))
    for index in indexes:
        for sharer in index.by_bulkhead.get(shared_bulkhead(document), ()):
            yield from target.targets(sharer)
