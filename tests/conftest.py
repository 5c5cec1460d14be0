"""Fixtures that several kinds of tests share."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.etcd import Member, one_member
from tests.support.helm import Helm
from tests.support.kube import ApiServer, api_server

# A shell has what it runs in the background ignore this, and programs inherit it: ours would not end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Member]:
    """One member for all tests; it keeps what they leave, so take `etcd` instead."""
    async with one_member(tmp_path_factory.mktemp("etcd")) as member:
        yield member


@pytest_asyncio.fixture
async def etcd(shared_etcd: Member) -> Member:
    """A member without a key or a lease; a test that stops it runs one of its own."""
    await shared_etcd.wipe()
    return shared_etcd


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApiServer]:
    """One API server for all tests, which take namespaces of their own in it; the first use may build it."""
    async with api_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture
def helm(kubernetes: ApiServer, tmp_path: Path) -> Helm:
    """Helm, for the API server that all tests share."""
    return Helm(home=tmp_path / "helm", kubeconfig=kubernetes.kubeconfig)
