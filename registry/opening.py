"""Opens the store that a location names."""

from contextlib import AbstractAsyncContextManager

from registry.clock import Clock
from registry.config import EtcdLocation, StoreLocation, StoreOptions
from registry.etcd.store import open_etcd
from registry.sqlite import open_sqlite
from registry.store import Store


def open_store(
    location: StoreLocation, *, clock: Clock | None = None, options: StoreOptions | None = None
) -> AbstractAsyncContextManager[Store]:
    """The store at `location`, until the block ends; `clock` and `options` are for an embedded one.

    Raises:
        StoreError: it cannot be opened.
    """
    if isinstance(location, EtcdLocation):
        return open_etcd(location)
    return open_sqlite(location, clock=clock, options=options)
