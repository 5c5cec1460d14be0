"""One member of a running etcd: what it says of itself, and what an operator does to it."""

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.etcd.options import Options, Place
from tests.support.etcd.tools import run, tool
from tests.support.process import Process

READY_TIMEOUT_SECONDS = 30
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=2)


@dataclass(slots=True)
class Credentials:
    """What our own tools log in with, once authentication is on."""

    user: str = ""
    password: str = ""

    def flags(self) -> tuple[str, ...]:
        """Return the flags of etcdctl that say so."""
        return (f"--user={self.user}", f"--password={self.password}") if self.user else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member: its place, its process, which a test may kill, start, pause and resume, and its folder."""

    place: Place
    options: Options
    folder: Path
    process: Process
    credentials: Credentials = field(default_factory=Credentials)

    @property
    def endpoint(self) -> str:
        """The address that clients dial."""
        return self.place.endpoint

    @property
    def location(self) -> str:
        """What `--store` takes."""
        return f"etcd://{self.endpoint}"

    async def is_ready(self) -> bool:
        """Return whether it knows a leader and answers a linearisable read."""
        return '"health":"true"' in await self._page("health")

    async def leads(self) -> bool:
        """Return whether it runs and leads its cluster."""
        return "\netcd_server_is_leader 1" in await self._page("metrics")

    async def ready(self) -> None:
        """Return once it is.

        Raises:
            ProcessFailedError: It ended, or was not ready in time.
        """
        await self.process.ready(self.is_ready, timeout_seconds=READY_TIMEOUT_SECONDS)

    async def ctl(self, *words: str) -> str:
        """Return what etcdctl prints when it asks this member alone.

        Raises:
            EtcdError: It failed.
        """
        return await run((*self.place.prefix, tool("etcdctl"), *self._ctl_flags(), *words))

    async def status(self) -> dict[str, Any]:
        """Return its status as etcdctl prints it: `header.revision`, `leader`, `dbSize` and more."""
        found: list[dict[str, dict[str, Any]]] = json.loads(
            await self.ctl("endpoint", "status", "-w", "json")
        )
        return found[0]["Status"]

    async def revision(self) -> int:
        """Return the newest revision of the store."""
        return int((await self.status())["header"]["revision"])

    async def compact(self, revision: int | None = None) -> int:
        """Return the revision it compacted to, the newest one if not given."""
        wanted = await self.revision() if revision is None else revision
        await self.ctl("compact", "--physical", str(wanted))
        return wanted

    async def defragment(self) -> None:
        """Give the space of what was compacted back; the member answers nobody meanwhile."""
        await self.ctl("defrag")

    async def alarms(self) -> tuple[str, ...]:
        """Return the alarms that are raised, such as `NOSPACE`, one for each member that raised it."""
        lines = (await self.ctl("alarm", "list")).splitlines()
        return tuple(line.rpartition("alarm:")[2].strip() for line in lines)

    async def disarm(self) -> None:
        """Clear every alarm; one whose cause goes on is raised again at the next write."""
        await self.ctl("alarm", "disarm")

    async def leases(self) -> tuple[str, ...]:
        """Return the ids of the leases that live."""
        return tuple((await self.ctl("lease", "list")).split()[3:])

    async def save(self, path: Path) -> None:
        """Write a snapshot of the store to a file."""
        await self.ctl("snapshot", "save", str(path))

    async def restore(self, path: Path, *options: str) -> None:
        """Make a stopped member, the only one of its cluster, begin with a snapshot."""
        data = self.folder / self.place.name
        await asyncio.to_thread(shutil.rmtree, data)
        name, peer = self.place.name, f"http://{self.place.address}:{self.place.peer}"
        place = (
            f"--name={name}",
            f"--initial-cluster={name}={peer}",
            f"--initial-advertise-peer-urls={peer}",
        )
        await run((tool("etcdutl"), "snapshot", "restore", path, f"--data-dir={data}", *place, *options))

    async def wipe(self) -> None:
        """Remove every key and lease; revisions go on."""
        for lease in await self.leases():
            await self.ctl("lease", "revoke", lease)
        await self.ctl("del", "", "--from-key")

    async def require_login(self, user: str, password: str) -> None:
        """Turn authentication on: `root` and this user have the password; the user owns `/breakwater/`."""
        await self.ctl("user", "add", f"root:{password}")
        await self.ctl("user", "grant-role", "root", "root")
        await self.ctl("user", "add", f"{user}:{password}")
        await self.ctl("role", "add", user)
        await self.ctl("role", "grant-permission", user, "--prefix=true", "readwrite", "/breakwater/")
        await self.ctl("user", "grant-role", user, user)
        await self.ctl("auth", "enable")
        self.credentials.user, self.credentials.password = "root", password

    def _ctl_flags(self) -> tuple[str, ...]:
        where = (f"--endpoints={self.options.scheme}://{self.endpoint}", "--command-timeout=10s")
        return (*where, *self.credentials.flags(), *self._tls_flags())

    def _tls_flags(self) -> tuple[str, ...]:
        if (tls := self.options.tls) is None:
            return ()
        client = tls.client
        return (f"--cacert={tls.ca}", f"--cert={client.certificate}", f"--key={client.key}")

    async def _page(self, path: str) -> str:
        url = f"http://{self.place.address}:{self.place.metrics}/{path}"
        try:
            async with aiohttp.ClientSession(timeout=REQUEST_TIMEOUT) as session, session.get(url) as answer:
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return ""
