"""A control plane and sidecars as processes on loopback, for tests and the bench."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.process import Process
from tests.support.readiness import answering

READY_TIMEOUT_SECONDS = 30
SIDECAR = ("-m", "sidecar.main")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """A control plane that is ready, and the ports it listens on."""

    process: Process
    discovery: int
    admin: int
    http: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A sidecar that was started, the ports it listens on, and its state directory; `ready` waits for it."""

    process: Process
    inbound: int
    outbound: int
    http: int
    state: Path

    async def ready(self) -> None:
        """Return once it has a configuration and serves it.

        Raises:
            ProcessFailedError: It ended, or had none in time.
        """
        await self.process.ready(answering(self.http, path="/ready"), timeout_seconds=READY_TIMEOUT_SECONDS)


@asynccontextmanager
async def controlplane(
    scratch: Path, policies: Path, *, store: str = "sqlite::memory:", prefix: Sequence[str] = ()
) -> AsyncIterator[ControlPlane]:
    """Run a control plane on the policies of a directory; `prefix` goes before its command."""
    discovery, admin, http = free_ports(3)
    command: tuple[str | Path, ...] = (
        *(*prefix, sys.executable, "-m", "controlplane.main"),
        *("--store", store, "--policies", policies),
        *("--listen", _loopback(discovery), "--admin", _loopback(admin), "--http", _loopback(http)),
    )
    async with Process(command, log=scratch / "controlplane.log") as process:
        await process.ready(answering(http, path="/readyz"), timeout_seconds=READY_TIMEOUT_SECONDS)
        yield ControlPlane(process=process, discovery=discovery, admin=admin, http=http)


@asynccontextmanager
async def sidecar(  # noqa: PLR0913 (a program's flags are its parameters)
    scratch: Path,
    service: str,
    *,
    app_port: int,
    discovery: int,
    port_name: str = "http",
    program: Sequence[str] = SIDECAR,
    prefix: Sequence[str] = (),
) -> AsyncIterator[Sidecar]:
    """Run a sidecar beside the application on `app_port`; its state and log are in `scratch`."""
    name = instance(service)
    inbound, outbound, http = free_ports(3)
    app = f"{port_name}={_loopback(app_port)}"
    command: tuple[str | Path, ...] = (
        *(*prefix, sys.executable, *program),
        *("--service", service, "--instance", name, "--state-dir", scratch / name),
        *("--controlplane", _loopback(discovery), "--app", app, "--advertise", "127.0.0.1"),
        *("--inbound", _loopback(inbound), "--outbound", _loopback(outbound), "--http", _loopback(http)),
    )
    async with Process(command, log=scratch / f"{name}.log") as process:
        yield Sidecar(process=process, inbound=inbound, outbound=outbound, http=http, state=scratch / name)


def instance(service: str) -> str:
    """Return the name in the mesh of the one sidecar of a service."""
    return service.replace("/", "-")


def _loopback(port: int) -> str:
    return f"127.0.0.1:{port}"
