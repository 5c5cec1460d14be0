"""What the tests against a real API server share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.crds.install import install_definitions
from tests.support.kube import ADMIN_TOKEN, ApiServer
from tests.support.kube.gateway import install_gateway_kinds
from tests.support.mesh import ControlPlane, cluster_controlplane

HERE = Path(__file__).parent
HANG_SECONDS = 600
"""The first test also waits for an API server and all definitions, on a busy machine for minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test time, but for those that say how much."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(HANG_SECONDS))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def kinds(kubernetes: ApiServer) -> ApiServer:
    """The API server that all tests share, with our kinds and those of the Gateway API."""
    await install_definitions(kubernetes)
    await install_gateway_kinds(kubernetes)
    return kubernetes


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def plane(kinds: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """A control plane that watches the cluster for all tests of a file, and believes everybody.

    Only for one file: two control planes of different namespaces would both write statuses.
    """
    await kinds.create_namespace("planes")
    kubeconfig = kinds.kubeconfig_with(ADMIN_TOKEN, name="planes", namespace="planes")
    async with cluster_controlplane(tmp_path_factory.mktemp("plane"), kubeconfig) as started:
        yield started
