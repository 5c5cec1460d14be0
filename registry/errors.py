"""What can go wrong in the registry.

    RegistryError
    ├── InvalidLocationError        a store location that names no store
    ├── InvalidRegistrationError    a registration with problems, all of them listed
    ├── DecodeError                 bytes that are not what we write
    └── StoreError
        ├── KeyNotFoundError        nothing under this key
        ├── RevisionMismatchError   compare-and-set found another revision
        ├── LeaseNotFoundError      the lease expired, was revoked, or never was
        ├── NotLeaderError          a write that only the leader may do, by one that no longer is
        ├── CompactedError          the history asked for is gone
        ├── StoreLockedError        another process has the file open
        ├── StoreFormatError        the file was written by another program or release
        ├── StoreFullError          the store has no room for what is to be written
        ├── StoreRefusedError       the store would refuse the same call again
        └── StoreUnavailableError   the store cannot be read or written now

`origin` says whose doing it was; `retryable` whether the same call may succeed later.
"""

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

from registry.model import Problem


class Origin(Enum):
    """Whose doing an error was."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    INTERNAL = "internal"


class RegistryError(Exception):
    """Root of everything this package raises on purpose."""

    origin: ClassVar[Origin] = Origin.INTERNAL
    retryable: ClassVar[bool] = False


class InvalidLocationError(RegistryError):
    """A store location that names no store."""

    origin = Origin.DOWNSTREAM


class InvalidRegistrationError(RegistryError):
    """A registration with problems; `problems` has every one."""

    origin = Origin.DOWNSTREAM

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class DecodeError(RegistryError):
    """Bytes that are not what we write."""


class StoreError(RegistryError):
    """Root of what a store raises."""

    origin = Origin.UPSTREAM


class KeyNotFoundError(StoreError):
    """Nothing is stored under the key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"expected an entry under {key!r}, found none")
        self.key = key


class RevisionMismatchError(StoreError):
    """Compare-and-set found another revision than expected; 0 stands for no entry."""

    def __init__(self, key: str, *, expected: int, found: int) -> None:
        super().__init__(f"expected {key!r} at revision {expected}, found revision {found}")
        self.key = key
        self.expected = expected
        self.found = found


class LeaseNotFoundError(StoreError):
    """The lease expired, was revoked, or never was."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"expected a live lease, found none with id {lease_id}")
        self.lease_id = lease_id


class NotLeaderError(StoreError):
    """A write that only the leader may do, by one that no longer is; nothing changed."""

    def __init__(self, key: str, fence: int) -> None:
        super().__init__(f"expected to lead by {key!r} at revision {fence}, found that the lead is lost")


class CompactedError(StoreError):
    """History is gone before `compact_revision`, the oldest a watch may begin at: list, then watch."""

    retryable = True

    def __init__(self, *, requested: int, compact_revision: int) -> None:
        super().__init__(f"expected history from revision {requested}, found it from {compact_revision}")
        self.requested = requested
        self.compact_revision = compact_revision


class StoreLockedError(StoreError):
    """Another process has the store's file open."""

    retryable = True

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is in use by another process: stop that one, or give this one a file of its own with "
            "--store sqlite:PATH; replicas that belong together share --store etcd://HOST:PORT",
        )


class StoreFormatError(StoreError):
    """The file was written by another program or another release."""


class StoreFullError(StoreError):
    """The store has no room for what is to be written; deleting and reading go on."""

    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "RESOURCE_EXHAUSTED: etcd has reached its quota and takes no writes: run `etcdctl compact "
            "REVISION`, `etcdctl defrag` and `etcdctl alarm disarm`, or raise --quota-backend-bytes"
        )


class StoreRefusedError(StoreError):
    """The store would refuse the same call again: the user may not, or what is to be written is too large."""


class StoreUnavailableError(StoreError):
    """The store cannot be read or written now.

    What was to be written may be there nevertheless: the answer may be all that was lost.
    """

    retryable = True
