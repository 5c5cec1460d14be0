"""The running demo: control plane, applications and sidecars, and what the story asks of them."""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING, Any

import grpc.aio
from aiohttp import ClientError, ClientSession, ClientTimeout

from controlplane.cli.client import AdminClient
from controlplane.cli.errors import CommandError
from controlplane.demo.apps import CHECK_STOCK
from controlplane.demo.etcd import EtcdMember, etcd_members, etcd_program
from controlplane.demo.processes import Process, free_port, is_free, until
from controlplane.demo.topology import (
    HOST,
    ControlPlane,
    Member,
    app_command,
    control_plane_command,
    sidecar_command,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


class Store(StrEnum):
    """Where the control plane keeps what it must not lose."""

    SQLITE = "sqlite"
    ETCD = "etcd"


NAMES = ("storefront", "cart", "payments", "inventory")
_DEFAULT_PORTS = ControlPlane(listen=15010, admin=15020, http=15014)
_SYNCED = "SIDECAR_STATE_SYNCED"


@dataclass(slots=True)
class Mesh:
    """Handles on everything that runs."""

    plane: ControlPlane
    members: Mapping[str, Member]
    etcd: tuple[EtcdMember, ...]
    control_plane: Process
    apps: Mapping[str, Process]
    sidecars: Mapping[str, Process]
    policies: Path
    session: ClientSession

    @property
    def processes(self) -> list[Process]:
        """Return everything, in the order it was started."""
        members = [member.process for member in self.etcd]
        return [*members, self.control_plane, *self.apps.values(), *self.sidecars.values()]

    async def ask(self, method: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one admin RPC, as `breakwater -o json` would show it."""
        return await asyncio.to_thread(self._ask, method, request or {})

    def _ask(self, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with AdminClient(self.plane.admin_address, timeout_seconds=5) as client:
            return client.call(method, request)

    async def converged(self) -> bool:
        """Return whether every sidecar is connected and applies the newest of all it holds."""
        try:
            sidecars = (await self.ask("ListSidecars"))["sidecars"]
        except CommandError:
            return False
        return len(sidecars) == len(NAMES) and all(one["state"] == _SYNCED for one in sidecars)

    async def breaker(self, service: str) -> str:
        """Return the state of the storefront's breaker over a service, such as OPEN; empty without one."""
        request = {"service": {"namespace": "shop", "name": service}}
        found = (await self.ask("ListBreakers", request))["breakers"]
        states = [one["breaker"]["state"] for one in found if not one["breaker"]["endpoint"]]
        return states[0].removeprefix("BREAKER_STATE_") if states else ""

    async def quota(self, name: str) -> str:
        """Return the RateLimit-Policy that a member's sidecar puts on live traffic; empty without one."""
        member = self.members[name]
        if member.speaks_grpc:
            return await self._grpc_quota(member)
        url = f"http://{HOST}:{member.inbound}/{'cart' if name == 'cart' else 'ping'}"
        try:
            async with self.session.get(url, headers={"Host": member.host}) as answer:
                await answer.read()
                return answer.headers.get("RateLimit-Policy", "")
        except ClientError:
            return ""

    async def _grpc_quota(self, member: Member) -> str:
        options = (("grpc.default_authority", member.host),)
        async with grpc.aio.insecure_channel(f"{HOST}:{member.inbound}", options=options) as channel:
            check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK_STOCK)
            call = check(b"", timeout=5)
            try:
                metadata = await call.initial_metadata()
                await call
            except grpc.aio.AioRpcError:
                return ""
        return str(dict(metadata or ()).get("ratelimit-policy", ""))

    async def etcd_leader(self) -> EtcdMember:
        """Return the member of etcd that leads, once there is one."""
        leaders: list[EtcdMember] = []

        async def somebody_leads() -> bool:
            leads = await asyncio.gather(*(member.leads(self.session) for member in self.etcd))
            leaders[:] = [member for member, does in zip(self.etcd, leads, strict=True) if does]
            return len(leaders) == 1

        await until(somebody_leads, "a leader of etcd")
        return leaders[0]

    async def etcd_is_whole(self) -> bool:
        """Return whether every member of etcd is healthy."""
        return all(await asyncio.gather(*(member.is_healthy(self.session) for member in self.etcd)))

    async def behave(self, *, delay_ms: int, failing: bool) -> None:
        """Tell `payments` how to behave, past its sidecar."""
        url = f"http://{HOST}:{self.members['payments'].app}/_demo/behave"
        async with self.session.get(url, params={"delay_ms": delay_ms, "failing": int(failing)}) as answer:
            answer.raise_for_status()


def _member(name: str) -> Member:
    inbound, outbound, http, app = (free_port() for _ in range(4))
    return Member(
        name=name, app=app, inbound=inbound, outbound=outbound, http=http, speaks_grpc=name == "inventory"
    )


def _control_plane() -> ControlPlane:
    defaults = (_DEFAULT_PORTS.listen, _DEFAULT_PORTS.admin, _DEFAULT_PORTS.http)
    if all(is_free(port) for port in defaults):
        return _DEFAULT_PORTS
    return ControlPlane(listen=free_port(), admin=free_port(), http=free_port())


@asynccontextmanager
async def running(root: Path, store: Store) -> AsyncIterator[Mesh]:
    """Run everything with its files below `root`, on a store; on leaving, all of it has ended.

    Raises:
        DemoError: something did not start.
    """
    policies = root / "policies"
    shutil.copytree(str(resources.files("controlplane.demo") / "policies"), policies)
    plane, members = _control_plane(), {name: _member(name) for name in NAMES}
    etcd = etcd_members(await etcd_program(), root) if store is Store.ETCD else ()
    async with ClientSession(timeout=ClientTimeout(total=5)) as session:
        mesh = _assemble(root, plane, members, etcd, session)
        try:
            await _start(mesh)
            yield mesh
        finally:
            for process in reversed(mesh.processes):
                await process.stop(signal.SIGTERM)


def _assemble(
    root: Path,
    plane: ControlPlane,
    members: Mapping[str, Member],
    etcd: tuple[EtcdMember, ...],
    session: ClientSession,
) -> Mesh:
    def process(name: str, command: list[str]) -> Process:
        return Process(name=name, command=command, log=root / f"{name}.log")

    def sidecar(member: Member) -> Process:
        state = root / f"state-{member.name}"
        state.mkdir()
        return process(f"sidecar-{member.name}", sidecar_command(member, plane, state=state))

    endpoints = ",".join(member.endpoint for member in etcd)
    store = f"etcd://{endpoints}" if etcd else f"sqlite:{root / 'registry.db'}"
    command = control_plane_command(plane, store=store, policies=root / "policies")
    return Mesh(
        plane=plane,
        members=members,
        etcd=etcd,
        control_plane=process("control-plane", command),
        apps={name: process(name, app_command(member)) for name, member in members.items()},
        sidecars={name: sidecar(member) for name, member in members.items()},
        policies=root / "policies",
        session=session,
    )


async def _start(mesh: Mesh) -> None:
    for member in mesh.etcd:
        await member.process.start()
    await until(mesh.etcd_is_whole, "etcd to have a leader", processes=mesh.processes)
    for process in mesh.processes[len(mesh.etcd) :]:
        await process.start()
    await until(mesh.converged, "four connected sidecars", processes=mesh.processes)
    url = f"http://{HOST}:{mesh.members['storefront'].inbound}"

    async def shop_opens() -> bool:
        statuses = [await _status(mesh, url + path) for path in ("/browse", "/checkout")]
        return statuses == [200, 200]

    await until(shop_opens, "the storefront to answer", processes=mesh.processes)


async def _status(mesh: Mesh, url: str) -> int:
    try:
        async with mesh.session.get(url, headers={"Host": "storefront.shop"}) as answer:
            return answer.status
    except ClientError:
        return 0
