"""How many descriptors the process may have, and what sidecars' connections may take of them."""

import resource
from contextlib import suppress
from typing import Final

CONNECTIONS_MAX: Final = 20_000
"""Connections at once; whoever comes then waits in the backlog."""

_SPARE: Final = 512
"""Left for the store, files, people, pages and peers; of very few, a quarter."""


def raise_limit() -> None:
    """Raises the limit as far as the system allows without asking: often it is 1,024 at first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connection_count() -> int:
    """The connections of sidecars that leave enough for everybody else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return min(CONNECTIONS_MAX, limit - min(_SPARE, limit // 4))
