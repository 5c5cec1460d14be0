"""Stores for the contract suite: how to open each, and how to open it again after its process ended."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from registry.clock import Clock
from registry.config import SqliteLocation, StoreOptions
from registry.sqlite import open_sqlite
from registry.store import Store

Opener = Callable[[Clock], AbstractAsyncContextManager[Store]]

HISTORY_REVISIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKind:
    """One implementation: its name, whether it outlives its process, and how a test makes an opener."""

    name: str
    is_durable: bool
    opener: Callable[[Path], Opener]


def _sqlite(path: Path | None) -> Opener:
    options = StoreOptions(history_revisions=HISTORY_REVISIONS)
    return lambda clock: open_sqlite(SqliteLocation(path=path), clock=clock, options=options)


KINDS = (
    StoreKind(name="sqlite-file", is_durable=True, opener=lambda folder: _sqlite(folder / "registry.db")),
    StoreKind(name="sqlite-memory", is_durable=False, opener=lambda _: _sqlite(None)),
)
