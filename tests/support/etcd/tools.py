"""The programs of etcd, and how a test runs one to its end."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.support.command import output_of
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
    """Return what one of them prints.

    Raises:
        EtcdError: It failed.
    """
    return await output_of(command, failure=EtcdError)
