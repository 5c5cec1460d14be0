"""Streams of a fleet that need no connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from controlplane.discovery.fleet import Fleet
from controlplane.discovery.stream import Stream
from controlplane.model.sidecar import Hello


@contextmanager
def joined(fleet: Fleet, hello: Hello) -> Iterator[Stream]:
    """The stream of a sidecar that stays as long as the block."""
    stream = fleet.join(hello, {})
    try:
        yield stream
    finally:
        fleet.leave(stream)
