"""Fixtures that several integration tests share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.caller import Caller, calling
from tests.support.limited import Limited, limiting


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """A caller's sidecar and its control plane, one for each module."""
    async with calling(tmp_path_factory.mktemp("caller")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def limited(caller: Caller) -> AsyncIterator[Limited]:
    """A service with limits and its control plane, one for each module."""
    async with limiting(caller) as running:
        yield running
