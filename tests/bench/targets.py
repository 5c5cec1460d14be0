"""What is measured: each target as the way to start it. All listen on loopback and lead to one origin."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.bench.load import HOST
from tests.bench.site import FLOOR_PROGRAM, Site, find_envoy, find_program, pinned
from tests.support.mesh import controlplane, sidecar
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.readiness import answering

OURS = "breakwater"
CALLER = "ours-caller"
CALLEE = "ours-callee"
OWN = (OURS, CALLER, CALLEE)
BASE = "envoy-full"
RIVAL = "haproxy-full"
FLOOR = "floor"

# What users start: `python -m` would keep the modules of its own start in memory.
PROGRAM = Path(sys.executable).with_name("breakwater-sidecar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A target that answers: its port, the process that is measured (none: direct), and its helpers."""

    port: int
    proxy: Process | None = None
    bystanders: tuple[Process, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Everything that was started for it."""
        return tuple(process.pid for process in (self.proxy, *self.bystanders) if process is not None)


Start: TypeAlias = Callable[[Site], AbstractAsyncContextManager[Running]]


@asynccontextmanager
async def direct(site: Site) -> AsyncIterator[Running]:
    """Run no proxy at all: what the load core alone can do."""
    yield Running(port=site.origin_port)


def haproxy(configuration: str) -> Start:
    """Return how HAProxy starts with one of its configurations."""

    def start(site: Site) -> AbstractAsyncContextManager[Running]:
        port = free_port()
        file = site.render(configuration, site.scratch / configuration, listen=port)
        return _alone(site, port, find_program("haproxy") or "haproxy", "-db", "-f", file)

    return start


def envoy(configuration: str) -> Start:
    """Return how Envoy starts with one of its configurations."""

    def start(site: Site) -> AbstractAsyncContextManager[Running]:
        port = free_port()
        file = site.render(configuration, site.scratch / configuration, listen=port)
        options = ("--concurrency", "1", "-l", "error", "--disable-hot-restart", "-c", file)
        return _alone(site, port, find_envoy() or "envoy", *options)

    return start


def floor(site: Site) -> AbstractAsyncContextManager[Running]:
    """Run the floor probe."""
    port = free_port()
    return _alone(site, port, FLOOR_PROGRAM, str(port), str(site.origin_port))


def breakwater(configuration: str, *, is_callee: bool = False) -> Start:
    """Return how our sidecar starts with one of its configurations, called as a caller's or a callee's."""

    def start(site: Site) -> AbstractAsyncContextManager[Running]:
        return _breakwater(site, configuration, is_callee=is_callee)

    return start


@asynccontextmanager
async def _breakwater(site: Site, configuration: str, *, is_callee: bool) -> AsyncIterator[Running]:
    """Run our sidecar on the measured core, its control plane beside the origin."""
    scratch = site.scratch / Path(configuration).stem  # its own state, so that none starts with another's
    file = site.render(configuration, scratch / "policies" / "bench.yaml")
    async with (
        controlplane(scratch, file.parent, prefix=pinned(site.load_core)) as plane,
        sidecar(
            scratch,
            "bench/client",
            app_port=site.origin_port,
            discovery=plane.discovery,
            program=(str(PROGRAM),),
            prefix=pinned(site.proxy_core),
        ) as ours,
    ):
        port = ours.inbound if is_callee else ours.outbound
        await ours.process.ready(answering(port, host=HOST), timeout_seconds=30)
        yield Running(port=port, proxy=ours.process, bystanders=(plane.process,))


TARGETS: Mapping[str, Start] = {
    "direct": direct,
    "haproxy": haproxy("haproxy.cfg"),
    RIVAL: haproxy("haproxy-full.cfg"),
    BASE: envoy("envoy-full.yaml"),
    FLOOR: floor,
    OURS: breakwater("breakwater.yaml"),
    CALLER: breakwater("caller.yaml"),
    CALLEE: breakwater("callee.yaml", is_callee=True),
}


@asynccontextmanager
async def _alone(site: Site, port: int, *argv: str | Path) -> AsyncIterator[Running]:
    log = site.scratch / f"{Path(argv[0]).name}.log"
    async with Process((*pinned(site.proxy_core), *argv), log=log) as proxy:
        await proxy.ready(answering(port, host=HOST), timeout_seconds=30)
        yield Running(port=port, proxy=proxy)
