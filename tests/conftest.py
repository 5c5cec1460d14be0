"""Fixtures that several kinds of tests share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.etcd import Member, one_member


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
