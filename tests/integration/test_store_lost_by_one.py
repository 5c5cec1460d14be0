"""One of two control planes loses the store: its sidecars go to the other."""

from pathlib import Path

from registry.config import SqliteLocation
from registry.sqlite import open_sqlite
from tests.support.control_plane import Plane, running_replicas
from tests.support.flaky_store import FlakyStore
from tests.support.mesh import sidecar
from tests.support.metrics import measured
from tests.support.readiness import Condition, until
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


def serves(plane: Plane) -> Condition:
    """The condition that the sidecar is connected to a control plane."""
    return measured(plane.bound.http.port, "breakwater_controlplane_streams", 1.0, state="synced")
