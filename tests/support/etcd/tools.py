"""The programs of etcd, and how a test runs one to its end."""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.support.gotools import ETCD, built


class EtcdError(Exception):
    """etcdctl refused; the message is what it said."""


@cache
def tool(name: str) -> Path:
    """Return the path of `etcd`, `etcdctl` or `etcdutl`, built when it has to be.

    Raises:
        GoToolsError: It cannot be built here.
    """
    return built(ETCD) / name


async def run(command: Sequence[str | Path]) -> str:
    child = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, talk = await child.communicate()
    if child.returncode:
        raise EtcdError(talk.decode().strip() or f"etcdctl ended with {child.returncode}")
    return out.decode()
