"""Documents by a key, each entry sorted by age: an index that one changed document updates in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from controlplane.model.document import Document

_K = TypeVar("_K", bound="Hashable")


def add(index: dict[_K, tuple[Document, ...]], key: _K, document: Document) -> None:
    """Enters a document at its place among those under `key`."""
    documents = [*index.get(key, ()), document]
    index[key] = tuple(sorted(documents, key=lambda each: (each.age, each.key)))


def remove(index: dict[_K, tuple[Document, ...]], key: _K, document: Document) -> None:
    """Takes a document out, and with the last one its entry."""
    left = tuple(each for each in index.get(key, ()) if each.key != document.key)
    if left:
        index[key] = left
    else:
        index.pop(key, None)
