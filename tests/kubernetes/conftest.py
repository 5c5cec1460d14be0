"""What the tests against a real API server share."""

import pytest_asyncio

from tests.support.crds.install import install_definitions
from tests.support.kube import ApiServer


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def kinds(kubernetes: ApiServer) -> ApiServer:
    """The API server that all tests share, with our kinds."""
    await install_definitions(kubernetes)
    return kubernetes
