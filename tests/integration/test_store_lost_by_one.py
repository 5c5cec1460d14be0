"""One of two control planes loses the store, or both: where sidecars go then."""

from pathlib import Path

from registry.config import SqliteLocation
from registry.sqlite import open_sqlite
from tests.support.control_plane import Plane, running_replicas
from tests.support.flaky_store import FlakyStore
from tests.support.mesh import sidecar
from tests.support.metrics import measured
from tests.support.readiness import Condition, answering, no_longer, until
from tests.support.upstream import ScriptedUpstream


async def test_sidecars_go_to_the_control_plane_that_has_the_store(tmp_path: Path) -> None:
    async with (
        open_sqlite(SqliteLocation(path=None)) as store,
        running_replicas(tmp_path, (FlakyStore(store), FlakyStore(store))) as replicas,
        ScriptedUpstream() as upstream,
        sidecar(
            tmp_path,
            "test/callee",
            app_port=upstream.port,
            discovery=[plane.bound.listen.port for plane in replicas.planes],
        ) as callee,
    ):
        await callee.ready()
        left, joined = (0, 1) if await serves(replicas.planes[0])() else (1, 0)
        flaky = replicas.stores[left]
        assert isinstance(flaky, FlakyStore)
        flaky.lose()
        await until(serves(replicas.planes[joined]))
        await until(no_longer(is_ready(replicas.planes[left])))
        assert await is_ready(replicas.planes[joined])()


async def test_control_planes_stay_ready_while_nobody_has_the_store(tmp_path: Path) -> None:
    async with (
        open_sqlite(SqliteLocation(path=None)) as store,
        running_replicas(tmp_path, (FlakyStore(store), FlakyStore(store))) as replicas,
    ):
        for flaky in replicas.stores:
            assert isinstance(flaky, FlakyStore)
            flaky.lose()
        for plane in replicas.planes:
            await until(measured(plane.bound.http.port, "breakwater_controlplane_registry_up", 0.0))
            await until(is_ready(plane))


def is_ready(plane: Plane) -> Condition:
    """The condition that a load balancer sends connections to a control plane."""
    return answering(plane.bound.http.port, path="/readyz")


def serves(plane: Plane) -> Condition:
    """The condition that the sidecar is connected to a control plane."""
    return measured(plane.bound.http.port, "breakwater_controlplane_streams", 1.0, state="synced")
