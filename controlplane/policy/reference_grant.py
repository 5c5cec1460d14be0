"""What may be named across namespaces: a ReferenceGrant beside the target says who may name it.

Nobody else looks at grants: whoever resolves a reference that leaves its namespace asks `Grants.permit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from controlplane.model.value import blocks, find_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree

KIND: Final = "ReferenceGrant"


class Subject(NamedTuple):
    """An object at one end of a reference; the end that names the other needs no `name`."""

    group: str
    kind: str
    namespace: str
    name: str = ""


def validate(document: Document) -> Iterator[Problem]:
    """Nothing is wrong between the fields of a grant."""
    del document
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """The grants there are, by the namespace whose objects they open."""

    by_namespace: Mapping[str, tuple[Document, ...]] = field(default_factory=dict)

    def permit(self, source: Subject, target: Subject) -> bool:
        """Whether an object may name another one, be it there or not."""
        if source.namespace == target.namespace:
            return True
        return any(_opens(grant, source, target) for grant in self.by_namespace.get(target.namespace, ()))

    def replace(self, removed: Iterable[Document], added: Iterable[Document]) -> Grants:
        """The grants without some documents and with others; itself if none of them is a grant."""
        gone = {document.key for document in removed if document.key.kind == KIND}
        came = [document for document in added if document.key.kind == KIND]
        if not gone and not came:
            return self
        known = [each for grants in self.by_namespace.values() for each in grants if each.key not in gone]
        found: dict[str, tuple[Document, ...]] = {}
        for document in (*known, *came):
            namespace = document.key.namespace
            found[namespace] = (*found.get(namespace, ()), document)
        return Grants(by_namespace=found)


def _opens(grant: Document, source: Subject, target: Subject) -> bool:
    return any(_is_of(each, source) for each in blocks(grant.spec, "from")) and any(
        _names(each, target) for each in blocks(grant.spec, "to")
    )


def _is_of(ref: Tree, source: Subject) -> bool:
    found = find_text(ref, "group"), find_text(ref, "kind"), find_text(ref, "namespace")
    return found == (source.group, source.kind, source.namespace)


def _names(ref: Tree, target: Subject) -> bool:
    is_kind = (find_text(ref, "group"), find_text(ref, "kind")) == (target.group, target.kind)
    return is_kind and find_text(ref, "name") in {"", target.name}
