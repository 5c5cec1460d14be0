"""Opens the store that a location names, and loads what that one needs: SQLite, or a client of etcd."""

from contextlib import AbstractAsyncContextManager

from registry.clock import Clock
from registry.config import EtcdLocation, StoreLocation, StoreOptions
from registry.store import Store


def open_store(
    location: StoreLocation, *, clock: Clock | None = None, options: StoreOptions | None = None
) -> AbstractAsyncContextManager[Store]:
    """The store at `location`, until the block ends; `clock` and `options` are for an embedded one.

    Raises:
        StoreError: it cannot be opened.
    """
    if isinstance(location, EtcdLocation):
        from registry.etcd.store import open_etcd  # noqa: PLC0415

        return open_etcd(location)
    from registry.sqlite import open_sqlite  # noqa: PLC0415

    return open_sqlite(location, clock=clock, options=options)
