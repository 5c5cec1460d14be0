"""The program as a whole: ended, killed and started again, with real processes."""

import asyncio
import signal
import sys
from pathlib import Path

import grpc.aio

from registry.client import RegistryClient
from tests.support.desired import endpoints, host, outbound
from tests.support.light_sidecar import light_sidecar
from tests.support.mesh import controlplane
from tests.support.process import Process
from tests.support.registrations import CART, registration

EVERYTHING = {host("cart.shop"), outbound("shop/cart"), endpoints("shop/cart")}


async def test_killed_control_plane_comes_back_and_takes_nothing_away(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'registry.db'}"
    policies = tmp_path / "policies"
    policies.mkdir()
    async with (
        controlplane(tmp_path, policies, store=store) as plane,
        grpc.aio.insecure_channel(f"127.0.0.1:{plane.discovery}") as channel,
        light_sidecar(channel, "web-0", host("cart.shop")) as sidecar,
    ):
        await RegistryClient(channel).register(registration())
        await sidecar.until(lambda one: one.held.keys() == EVERYTHING)
        held = dict(sidecar.held)
        await plane.process.kill()
    async with (
        controlplane(tmp_path, policies, store=store) as plane,
        grpc.aio.insecure_channel(f"127.0.0.1:{plane.discovery}") as channel,
        light_sidecar(channel, "web-0", host("cart.shop"), host("nobody.shop"), held=held) as sidecar,
    ):
        await sidecar.until(lambda one: bool(one.missing))
        assert sidecar.held == held
        assert [list(one.resources) + list(one.removed) for one in sidecar.responses] == [[]]
        assert [one.instance for one in await RegistryClient(channel).list_endpoints(CART)] == ["cart-1"]


async def test_second_control_plane_on_one_file_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'registry.db'}"
    policies = tmp_path / "policies"
    policies.mkdir()
    second = (sys.executable, "-m", "controlplane", "--store", store, "--listen", "127.0.0.1:0")
    async with (
        controlplane(tmp_path, policies, store=store),
        Process(second, log=tmp_path / "second.log") as process,
    ):
        assert await process.wait() == 1
        assert "registry.db is in use by another process" in process.output()
        assert "share --store etcd://HOST:PORT" in process.output()


async def test_terminated_control_plane_drains_and_ends_well(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    async with (
        controlplane(tmp_path, policies) as plane,
        grpc.aio.insecure_channel(f"127.0.0.1:{plane.discovery}") as channel,
        light_sidecar(channel, "web-0", host("cart.shop")) as sidecar,
    ):
        await sidecar.until(lambda one: bool(one.missing))
        loaded = await asyncio.to_thread(Path(f"/proc/{plane.process.pid}/maps").read_text)
        assert not any(name in loaded for name in ("_ssl.", "libcrypto")), "5 MB for clusters alone"
        plane.process.send(signal.SIGTERM)
        assert await plane.process.wait() == 0
        assert '"control plane drains"' in plane.process.output()
        assert '"control plane ready"' in plane.process.output()
