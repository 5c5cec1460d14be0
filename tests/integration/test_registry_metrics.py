"""Figures of the registry."""

from registry.config import SqliteLocation
from registry.live import follow
from registry.metrics import RegistryCollector
from registry.registrar import Registrar
from registry.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.registrations import registration


async def test_collector_shows_the_live_catalogue() -> None:
    clock = FakeClock()
    async with open_sqlite(SqliteLocation(path=None), clock=clock) as store:
        for instance in ("a", "b"):
            await Registrar(store).register(registration(instance), 15)
        async with follow(store, clock=clock) as live:
            figures = {
                sample.name.removeprefix("breakwater_controlplane_registry_"): sample.value
                for family in RegistryCollector(live, [live.mirror]).collect()
                for sample in family.samples
            }

    assert figures == {
        "up": 1,
        "settled": 1,
        "revision": 2,
        "services": 1,
        "endpoints": 2,
        "conflicts": 0,
        "leases": 2,
        "repairs_total": 0,
    }
