"""Settings of the registry: where the store is, and its time limits."""

from dataclasses import dataclass
from pathlib import Path

from registry.errors import InvalidLocationError

LEASE_SECONDS = 15
"""How long a registration outlives its owner, who renews it three times as often."""

LEASE_SECONDS_MIN = 5
LEASE_SECONDS_MAX = 60
"""What an owner may ask for instead."""

RECONNECT_SECONDS = 4
"""The longest a sidecar waits before it tries the control plane again."""

GRACE_SECONDS = LEASE_SECONDS + RECONNECT_SECONDS
"""How long nothing is taken away after a start, or after the store came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteLocation:
    """A file of the embedded store; without `path`, memory."""

    path: Path | None

    def __str__(self) -> str:
        return f"sqlite:{self.path or ':memory:'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Limits of the embedded store.

    `history_revisions` is how far back a watch may begin; `restart_seconds` is what a lease gets on
    top of its own time when the store starts.
    """

    history_revisions: int = 10_000
    restart_seconds: int = RECONNECT_SECONDS


def parse_location(text: str) -> SqliteLocation:
    """The store that `--store` names: sqlite:PATH or sqlite::memory:.

    Raises:
        InvalidLocationError: it has another form.
    """
    scheme, _, path = text.partition(":")
    if scheme != "sqlite" or not path:
        raise InvalidLocationError(f"expected sqlite:PATH or sqlite::memory:, found {text!r}")
    return SqliteLocation(path=None if path == ":memory:" else Path(path))
