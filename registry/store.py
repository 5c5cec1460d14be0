"""The Store protocol: keys with revisions, a history to watch, and leases.

The semantics are etcd's. Every change takes the next *revision*, one counter for the whole store; revoking a
lease removes all its keys at one revision. An entry remembers the revision that wrote it, which is what
compare-and-set compares. A watch begins at a revision and then sees every change once, in order, or ends with
`CompactedError` because the history it needs is gone: list, then watch from one past the listing.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from registry.model import Lease, LeaseId, Revision

ABSENT: Final = Revision(0)
"""The revision of a key that has no entry, for compare-and-set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is stored under a key: `revision` wrote it, and it goes with `lease`, if it has one."""

    key: str
    value: bytes
    revision: Revision
    lease: LeaseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every entry under a prefix, sorted by key, as of the store's `revision`."""

    entries: tuple[Entry, ...]
    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """An entry was written."""

    entry: Entry

    @property
    def key(self) -> str:
        """The entry's key."""
        return self.entry.key

    @property
    def revision(self) -> Revision:
        """The revision that wrote it."""
        return self.entry.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """An entry was deleted, by hand or because its lease ended."""

    key: str
    revision: Revision


Change = Put | Delete
Batch = tuple[Change, ...]
"""Changes in the order of their revisions; never empty, and never a part of a revision."""


class Store(Protocol):
    """Where the registry keeps what it knows. Every method may raise `StoreUnavailableError`."""

    async def get(self, key: str) -> Entry:
        """The entry under `key`.

        Raises:
            KeyNotFoundError: there is none.
        """
        ...

    async def list(self, prefix: str) -> Listing:
        """Every entry whose key begins with `prefix`."""
        ...

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        lease: LeaseId | None = None,
        expect: Revision | None = None,
    ) -> Revision:
        """The revision that wrote `value`; the entry is tied to `lease` from now on, and to no other.

        With `expect`, only if the entry is still at that revision (`ABSENT`: only if there is none).

        Raises:
            RevisionMismatchError: it is not; nothing changed.
            LeaseNotFoundError: there is no such lease; nothing changed.
        """
        ...

    async def delete(self, key: str, *, expect: Revision | None = None) -> Revision | None:
        """The revision that removed the entry, or `None` if there was nothing to remove.

        Raises:
            RevisionMismatchError: as for `put`.
        """
        ...

    def watch(
        self,
        prefix: str,
        from_revision: Revision,
    ) -> AbstractAsyncContextManager[AsyncIterator[Batch]]:
        """Every change under `prefix` from `from_revision` on, then as they happen, without end.

        Holds no queue: a slow reader falls behind in the history, and past its end loses the watch.

        Raises:
            CompactedError: the history needed is gone, at entry or while iterating.
        """
        ...

    async def grant(self, ttl_seconds: int) -> Lease:
        """A new lease that lives for `ttl_seconds` (at least 1) unless kept alive."""
        ...

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again.

        Raises:
            LeaseNotFoundError: there is no such lease.
        """
        ...

    async def revoke(self, lease_id: LeaseId) -> None:
        """Ends the lease and removes its entries.

        Raises:
            LeaseNotFoundError: there is no such lease.
        """
        ...
