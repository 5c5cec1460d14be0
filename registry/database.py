"""The tables of the embedded store and the transactions over them.

Blocking, and bound to one thread. The history is the counter: the store's revision is the newest in
it, and the oldest in it is where a watch may begin, so neither is kept twice. Every write trims the
history by as much as it adds.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, assert_never

from registry.config import StoreOptions
from registry.errors import (
    CompactedError,
    KeyNotFoundError,
    LeaseNotFoundError,
    RevisionMismatchError,
    StoreFormatError,
    StoreLockedError,
    StoreUnavailableError,
)
from registry.model import Lease, LeaseId, Revision
from registry.store import ABSENT, Action, Change, Check, Delete, Entry, Listing, Put, Remove, Write

# "BRKW": tells our files from any other program's.
_APPLICATION_ID = 0x42524B57
_FORMAT = 1
# A process that is just leaving has this long to let go of the file.
_LOCK_SECONDS = 1.0
# Revisions read in one step of a watch: bounds its memory, and how long it keeps the thread from writes.
_STEP_REVISIONS = 512
# No key has a character above this one, so that a prefix is a range of keys.
_LAST = "\U0010ffff"

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
CREATE TABLE IF NOT EXISTS history (
  revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, lease INTEGER, PRIMARY KEY (revision, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (id INTEGER PRIMARY KEY, ttl_seconds INTEGER NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT};
COMMIT;
"""


class Database:
    """An open file, or memory, that no other process can open meanwhile."""

    def __init__(self, connection: sqlite3.Connection, options: StoreOptions) -> None:
        self._connection = connection
        self._options = options

    @classmethod
    def open(cls, path: Path | None, options: StoreOptions) -> Self:
        """The database at `path`, made if it is missing; in memory without one.

        Raises:
            StoreLockedError: another process has it open.
            StoreFormatError: it is not ours, or of another release.
            StoreUnavailableError: it cannot be opened.
        """
        with _translated(str(path)):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            # Made by a thread of its own and closed by it, but the interpreter may collect it elsewhere.
            connection = sqlite3.connect(
                path or ":memory:", timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection, str(path))
            except BaseException:
                connection.close()
                raise
        return cls(connection, options)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def find(self, key: str) -> Entry | None:
        """The entry under `key`."""
        with _translated(key):
            row = self._connection.execute(
                "SELECT key, value, revision, lease FROM entries WHERE key = ?", (key,)
            ).fetchone()
        return _entry(*row) if row else None

    def get(self, key: str) -> Entry:
        """The entry under `key`.

        Raises:
            KeyNotFoundError: there is none.
        """
        entry = self.find(key)
        if not entry:
            raise KeyNotFoundError(key)
        return entry

    def list(self, prefix: str) -> Listing:
        """Every entry under `prefix`, and the revision."""
        with _translated(prefix):
            rows = self._connection.execute(
                "SELECT key, value, revision, lease FROM entries WHERE key >= ? AND key < ? ORDER BY key",
                (prefix, prefix + _LAST),
            ).fetchall()
        return Listing(entries=tuple(_entry(*row) for row in rows), revision=self.revision())

    def commit(self, actions: Sequence[Action], checks: Iterable[Check]) -> tuple[Revision, tuple[str, ...]]:
        """The revision, and the keys that changed at it; `Store.commit` says the rest."""
        with self._write(", ".join(action.key for action in actions)) as revision:
            for check in checks:
                self._check_revision(check)
            changed = [action for action in actions if self._act(action, revision)]
            self._record(revision, [_row(action) for action in changed])
        return self.revision(), tuple(action.key for action in changed)

    def add_lease(self, lease: Lease) -> None:
        """Remembers a lease."""
        with self._write(str(lease.id)):
            self._connection.execute(
                "INSERT INTO leases (id, ttl_seconds) VALUES (?, ?)", (lease.id, lease.ttl_seconds)
            )

    def revoke(self, lease_id: LeaseId) -> tuple[str, ...]:
        """Forgets a lease and removes its entries at one revision; returns their keys, sorted.

        Raises:
            LeaseNotFoundError: there is no such lease.
        """
        with self._write(str(lease_id)) as revision:
            self._check_lease(lease_id)
            self._connection.execute("DELETE FROM leases WHERE id = ?", (lease_id,))
            rows = self._connection.execute(
                "DELETE FROM entries WHERE lease = ? RETURNING key", (lease_id,)
            ).fetchall()
            keys = tuple(sorted(key for (key,) in rows))
            self._record(revision, [(key, None, None) for key in keys])
        return keys

    def leases(self) -> tuple[Lease, ...]:
        """Every lease, sorted by id."""
        with _translated("leases"):
            rows = self._connection.execute("SELECT id, ttl_seconds FROM leases ORDER BY id").fetchall()
        return tuple(Lease(id=LeaseId(lease_id), ttl_seconds=ttl) for lease_id, ttl in rows)

    def revision(self) -> Revision:
        """The newest revision; 0 when nothing was ever written."""
        with _translated("history"):
            (newest,) = self._connection.execute("SELECT coalesce(max(revision), 0) FROM history").fetchone()
        return Revision(newest)

    def changes(self, prefix: str, from_revision: Revision) -> tuple[tuple[Change, ...], Revision]:
        """Changes under `prefix` in the next few revisions, and the revision to go on from.

        Raises:
            CompactedError: the history from `from_revision` is gone.
        """
        self.check_history(from_revision)
        end = Revision(min(from_revision + _STEP_REVISIONS, self.revision() + 1))
        with _translated(prefix):
            rows = self._connection.execute(
                "SELECT key, value, revision, lease FROM history"
                " WHERE revision >= ? AND revision < ? AND key >= ? AND key < ? ORDER BY revision, key",
                (from_revision, end, prefix, prefix + _LAST),
            ).fetchall()
        return tuple(_change(*row) for row in rows), max(from_revision, end)

    def check_history(self, from_revision: Revision) -> None:
        """Returns if a watch may begin at `from_revision`.

        Raises:
            CompactedError: it may not.
        """
        with _translated("history"):
            (oldest,) = self._connection.execute("SELECT coalesce(min(revision), 1) FROM history").fetchone()
        if from_revision < oldest:
            raise CompactedError(requested=from_revision, compact_revision=oldest)

    @contextmanager
    def _write(self, subject: str) -> Iterator[Revision]:
        """One transaction, which writes at the revision it yields, or not at all."""
        with _translated(subject):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Revision(self.revision() + 1)
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _record(
        self, revision: Revision, changes: Iterable[tuple[str, bytes | None, LeaseId | None]]
    ) -> None:
        self._connection.executemany(
            "INSERT INTO history (revision, key, value, lease) VALUES (?, ?, ?, ?)",
            [(revision, *change) for change in changes],
        )
        self._connection.execute(
            "DELETE FROM history WHERE revision <= ?", (revision - self._options.history_revisions,)
        )

    def _act(self, action: Action, revision: Revision) -> bool:
        """Whether the action changed anything."""
        match action:
            case Write(key=key, value=value, lease=lease):
                if lease is not None:
                    self._check_lease(lease)
                row = (key, value, revision, lease)
                self._connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", row)
                return True
            case Remove(key=key):
                return self._connection.execute("DELETE FROM entries WHERE key = ?", (key,)).rowcount > 0
            case _:
                assert_never(action)

    def _check_revision(self, check: Check) -> None:
        entry = self.find(check.key)
        found = entry.revision if entry else ABSENT
        if found != check.revision:
            raise RevisionMismatchError(check.key, expected=check.revision, found=found)

    def _check_lease(self, lease_id: LeaseId) -> None:
        if not self._connection.execute("SELECT 1 FROM leases WHERE id = ?", (lease_id,)).fetchone():
            raise LeaseNotFoundError(lease_id)


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    # Before the first access, so that the lock is taken with it and kept, and no shared memory is needed.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    _check_format(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # A revision that was handed out must survive a power cut: watchers and compare-and-set rely on it.
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_SCHEMA)


def _check_format(connection: sqlite3.Connection, path: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and (application, version) != (_APPLICATION_ID, _FORMAT):
        raise StoreFormatError(
            f"expected {path} to be a registry of format {_FORMAT}, found application {application:#x} "
            f"format {version}: give --store another file"
        )


@contextmanager
def _translated(subject: str) -> Iterator[None]:
    """Turns what sqlite and the file system raise into this package's errors."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreLockedError(subject) from error
        raise StoreUnavailableError(f"expected to reach the store for {subject}, found: {error}") from error
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreUnavailableError(f"expected to reach the store for {subject}, found: {error}") from error


def _entry(key: str, value: bytes, revision: int, lease: int | None) -> Entry:
    return Entry(key=key, value=value, revision=Revision(revision), lease=_lease_id(lease))


def _row(action: Action) -> tuple[str, bytes | None, LeaseId | None]:
    return (action.key, action.value, action.lease) if isinstance(action, Write) else (action.key, None, None)


def _change(key: str, value: bytes | None, revision: int, lease: int | None) -> Change:
    if value is None:
        return Delete(key=key, revision=Revision(revision))
    return Put(entry=_entry(key, value, revision, lease))


def _lease_id(lease: int | None) -> LeaseId | None:
    return None if lease is None else LeaseId(lease)
