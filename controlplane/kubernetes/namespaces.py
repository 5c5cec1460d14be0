"""The Namespaces of a cluster and the ServiceAccounts in them, joined as they come, in any order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.objects import Key, Object
    from controlplane.model.namespaces import Namespaces


class NamespaceIndex:
    """What was taken so far: an account is there as long as its namespace is."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._accounts: dict[str, set[str]] = defaultdict(set)
        self._stale: set[str] = set()

    @property
    def is_stale(self) -> bool:
        """Whether something came or went since the last update."""
        return bool(self._stale)

    def take_namespaces(self, changes: Mapping[Key, Object | None]) -> None:
        """Takes Namespaces that changed; of one that is still there, nothing is news."""
        for key, found in changes.items():
            self._note(self._names, key.name, key.name, found)

    def take_accounts(self, changes: Mapping[Key, Object | None]) -> None:
        """Takes ServiceAccounts that changed; of one that is still there, nothing is news."""
        for key, found in changes.items():
            accounts = self._accounts[key.namespace]
            self._note(accounts, key.name, key.namespace, found)
            if not accounts:
                del self._accounts[key.namespace]

    def update(self, known: Namespaces | None) -> Namespaces:
        """The namespaces as of now; `known` itself if nothing came or went."""
        stale, self._stale = self._stale, set()
        changed = {name: frozenset(self._accounts.get(name, ())) for name in stale & self._names}
        kept = {name: accounts for name, accounts in (known or {}).items() if name not in stale}
        namespaces = kept | changed
        return namespaces if known is None or namespaces != known else known

    def _note(self, names: set[str], name: str, namespace: str, found: Object | None) -> None:
        if (found is not None) == (name in names):
            return
        if found is None:
            names.remove(name)
        else:
            names.add(name)
        self._stale.add(namespace)
