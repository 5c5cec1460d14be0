"""An authority that runs: the credentials that it has ready, for as long as the control plane serves."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from controlplane.authority.authority import Authority
from registry.background import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from controlplane.credentials import Keyring
    from controlplane.keep import Keep

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@asynccontextmanager
async def issuing(keep: Keep, names: Iterable[str], trust_domain: str) -> AsyncIterator[Keyring]:
    """The credentials of servers that are called by `names`, or from this machine, until the block ends.

    Raises:
        AuthorityError: there is no authority, and none can be made.
    """
    # Replicas check each other for the first name, which all of them have.
    everything = dict.fromkeys((*_LOOPBACK, *names, socket.gethostname()))
    named = [name for name in everything if not _is_wildcard(name)]
    authority = Authority(keep, named, trust_domain, partial(datetime.now, UTC))
    await authority.refresh()
    async with running(authority.run()):
        yield lambda: authority.credentials


def _is_wildcard(name: str) -> bool:
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False
