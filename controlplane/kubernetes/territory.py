"""Which objects are ours to speak of, where a cluster has several control planes.

Each of them has a revision, one of them none. A namespace that is labelled with a revision is that control
plane's, and so is an object that is labelled itself, such as the Mesh; all others are of the one without.
Every control plane enforces every policy, and one alone says what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.objects import Key, Meta, Object

LABEL: Final = "breakwater.dev/revision"


class Territory:
    """What is of `revision`; `taken` counts how often a namespace changed hands."""

    def __init__(self, revision: str) -> None:
        self._revision = revision
        self._namespaces: dict[str, str] = {}  # those that are labelled
        self.taken = 0

    def take(self, changes: Mapping[Key, Object | None]) -> None:
        """Takes Namespaces that changed."""
        for key, found in changes.items():
            before = self._namespaces.pop(key.name, "")
            revision = found.metadata.labels.get(LABEL, "") if found else ""
            if revision:
                self._namespaces[key.name] = revision
            self.taken += revision != before

    def holds(self, meta: Meta) -> bool:
        """Whether an object is ours: by its own label, else by that of its namespace."""
        return meta.labels.get(LABEL, self._namespaces.get(meta.namespace, "")) == self._revision
