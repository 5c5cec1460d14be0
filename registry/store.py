"""The Store protocol: keys with revisions, a history to watch, and leases.

The semantics are etcd's. Every change takes the next *revision*, one counter for the whole store; revoking a
lease removes all its keys at one revision, and so does a transaction with all its changes. An entry remembers
the revision that wrote it, which is what compare-and-set compares. A watch begins at a revision and then sees
every change once, in order, or ends with `CompactedError` because the history it needs is gone: list, then
watch from one past the listing.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

from registry.model import Lease, LeaseId, Revision

ABSENT: Final = Revision(0)
"""The revision of a key that has no entry, for compare-and-set."""

TRANSACTION_MAX: Final = 100
"""How many actions and checks one transaction may have: fewer than the 128 that etcd takes by default."""


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
"""Changes in the order of their revisions, then of keys; never empty, and never a part of a revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """To put `value` under `key`, tied to `lease` and to no other."""

    key: str
    value: bytes
    lease: LeaseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """To delete the entry under `key`, if there is one."""

    key: str


Action = Write | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """That the entry under `key` is at `revision`; `ABSENT`: that there is none."""

    key: str
    revision: Revision


class Watch(Protocol):
    """Iterates over changes, one batch after the other, without end."""

    def __aiter__(self) -> AsyncIterator[Batch]: ...

    async def __anext__(self) -> Batch: ...

    async def reach(self, revision: Revision) -> None:
        """Returns once whoever iterates has dealt with every change up to `revision`.

        A batch is dealt with when the next one is asked for.
        """
        ...


def checking(key: str, expect: Revision | None) -> tuple[Check, ...]:
    """The check that `expect` asks for, if it does."""
    return () if expect is None else (Check(key=key, revision=expect),)


def in_order(actions: Sequence[Action], checks: Sequence[Check]) -> tuple[Action, ...]:
    """The actions of one transaction, sorted by key.

    Raises:
        ValueError: they are more than `TRANSACTION_MAX` with the checks, or two have the same key.
    """
    if len(actions) + len(checks) > TRANSACTION_MAX:
        count = len(actions) + len(checks)
        raise ValueError(f"expected at most {TRANSACTION_MAX} actions and checks, found {count}")
    repeated = [key for key, count in Counter(action.key for action in actions).items() if count > 1]
    if repeated:
        raise ValueError(f"expected one action a key, found several for {', '.join(sorted(repeated))}")
    return tuple(sorted(actions, key=attrgetter("key")))


class Store(Protocol):
    """Where the registry keeps what it knows.

    Every method may raise `StoreUnavailableError`; one that writes may then have written nevertheless. Any
    may raise `StoreRefusedError`, and those that write `StoreFullError`; then nothing changed.
    """

    @property
    def restores_leases(self) -> bool:
        """Whether leases get their full time again when the store starts, however long it was away."""
        ...

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

    async def commit(self, actions: Sequence[Action], *, checks: Sequence[Check] = ()) -> Revision:
        """The one revision at which all `actions` happened, each on a key of its own, if all `checks` hold.

        Actions that change nothing take no revision; the answer is then the store's.

        Raises:
            RevisionMismatchError: a check does not hold; nothing changed.
            LeaseNotFoundError: there is no such lease; nothing changed.
            ValueError: there are more than `TRANSACTION_MAX` actions and checks, or two actions on one key.
        """
        ...

    def watch(self, prefix: str, from_revision: Revision) -> AbstractAsyncContextManager[Watch]:
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
