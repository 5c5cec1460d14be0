"""A fleet whose control plane was away comes back spread out, and with all its endpoints."""

from pathlib import Path

import grpc.aio

from registry.client import RegistryClient
from tests.support.desired import endpoints, host
from tests.support.mesh import ControlPlane, controlplane
from tests.support.readiness import Condition, that, until
from tests.support.registrations import registration
from tests.support.returning import Returning, returning

FLEET = 200
CONVERGE_SECONDS = 60
SLICE_SECONDS = 0.25
SLICE_SHARE = 0.25
RESTED = 7
"""Failures in a row after which rests have grown to the cap."""


async def test_a_fleet_returns_spread_out_and_keeps_its_endpoints(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    async with controlplane(tmp_path, policies, store=f"sqlite:{tmp_path / 'registry.db'}") as plane:
        address = f"127.0.0.1:{plane.discovery}"
        async with grpc.aio.insecure_channel(address) as channel:
            await RegistryClient(channel).register(registration())
        async with returning(address, FLEET, [host("cart.shop")]) as fleet:
            await until(converged(plane), timeout_seconds=CONVERGE_SECONDS)
            await plane.process.kill()
            await until(
                that(lambda: all(one.failures >= RESTED for one in fleet)), timeout_seconds=CONVERGE_SECONDS
            )
            await plane.process.start()
            await plane.ready()
            await until(converged(plane), timeout_seconds=CONVERGE_SECONDS)
            assert fullest(fleet) <= SLICE_SHARE * FLEET
            assert sum(one.emptied for one in fleet) == 0
        assert all(endpoints("shop/cart") in one.held for one in fleet)


def converged(plane: ControlPlane) -> Condition:
    """The condition that everybody is connected and applies all it wants."""

    async def holds() -> bool:
        status = await plane.ask("GetStatus")
        return [status["connectedSidecars"], status["convergedSidecars"]] == [FLEET, FLEET]

    return holds


def fullest(fleet: tuple[Returning, ...]) -> int:
    """How many returned in the quarter of a second that holds most, by their rests."""
    at = [one.due_at for one in fleet]
    return max(sum(begin <= one < begin + SLICE_SECONDS for one in at) for begin in at)
