"""A control plane and sidecars as processes on loopback, for tests and the bench."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.cli.client import AdminClient
from tests.support.ports import free_port, free_ports
from tests.support.process import Process
from tests.support.readiness import answering

READY_TIMEOUT_SECONDS = 120
SIDECAR = ("-m", "sidecar.main")
CONTROL_PLANE = ("-m", "controlplane")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """A control plane that is ready, and the ports it listens on."""

    process: Process
    discovery: int
    admin: int
    http: int

    async def ready(self) -> None:
        """Return once it has read its sources and its store.

        Raises:
            ProcessFailedError: It ended, or was not ready in time.
        """
        await self.process.ready(answering(self.http, path="/readyz"), timeout_seconds=READY_TIMEOUT_SECONDS)

    async def ask(self, method: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one RPC of AdminService, as `breakwater -o json` shows it."""
        return await asyncio.to_thread(self._ask, method, request or {})

    def _ask(self, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with AdminClient(_loopback(self.admin)) as client:
            return client.call(method, request)


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
async def controlplane(  # noqa: PLR0913 (a program's flags are its parameters)
    scratch: Path,
    policies: Path,
    *,
    store: str = "sqlite::memory:",
    program: Sequence[str] = CONTROL_PLANE,
    prefix: Sequence[str] = (),
    flags: Sequence[str] = (),
    name: str = "controlplane",
) -> AsyncIterator[ControlPlane]:
    """Run a control plane on the policies of a directory; `prefix` goes before its command, `flags` after."""
    argv = (*prefix, sys.executable, *program)
    command: tuple[str | Path, ...] = (*argv, "--store", store, "--policies", policies, *flags)
    async with _running(command, scratch / f"{name}.log") as plane:
        yield plane


@asynccontextmanager
async def cluster_controlplane(  # noqa: PLR0913 (a program's flags are its parameters)
    scratch: Path,
    kubeconfig: Path,
    *,
    name: str = "controlplane",
    store: str = "sqlite::memory:",
    flags: Sequence[str] = ("--insecure",),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[ControlPlane]:
    """Run a control plane that watches the cluster of a kubeconfig, and believes everybody unless told."""
    command = (sys.executable, *CONTROL_PLANE, "--store", store, "--kubernetes", *flags)
    whole = {**(environment or {}), "KUBECONFIG": str(kubeconfig)}
    async with _running(command, scratch / f"{name}.log", whole) as plane:
        yield plane


@asynccontextmanager
async def _running(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ControlPlane]:
    """Run a control plane on ports of its own."""
    discovery, admin, http = free_ports(3)
    places = ("--listen", _loopback(discovery), "--admin", _loopback(admin), "--http", _loopback(http))
    async with Process((*command, *places), log=log, environment=environment) as process:
        plane = ControlPlane(process=process, discovery=discovery, admin=admin, http=http)
        await plane.ready()
        yield plane


@asynccontextmanager
async def sidecar(  # noqa: PLR0913 (a program's flags are its parameters)
    scratch: Path,
    service: str,
    *,
    app_port: int,
    discovery: int | Sequence[int],
    name: str = "",
    port_name: str = "http",
    program: Sequence[str] = SIDECAR,
    prefix: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> AsyncIterator[Sidecar]:
    """Run a sidecar beside the application on `app_port`; its state and log are in `scratch`.

    `discovery` is the port of its control plane, or those of several; `name` its own in the mesh.
    """
    name = name or instance(service)
    planes = (discovery,) if isinstance(discovery, int) else discovery
    app = f"{port_name}={_loopback(app_port)}"
    command = (
        *(*prefix, sys.executable, *program, "--service", service, "--advertise", "127.0.0.1"),
        *("--controlplane", ",".join(map(_loopback, planes)), "--app", app),
        *flags,
    )
    async with _beside(command, scratch, name, free_port()) as started:
        yield started


@asynccontextmanager
async def workload_sidecar(
    scratch: Path, workload: str, *, app_port: int, discovery: int, inbound: int
) -> AsyncIterator[Sidecar]:
    """Run a sidecar beside the application of a pod, of which the control plane knows the services."""
    command = (
        *(sys.executable, *SIDECAR, "--workload", workload),
        *("--controlplane", _loopback(discovery), "--app", _loopback(app_port)),
    )
    async with _beside(command, scratch, instance(workload), inbound) as started:
        yield started


@asynccontextmanager
async def _beside(
    command: Sequence[str | Path], scratch: Path, name: str, inbound: int
) -> AsyncIterator[Sidecar]:
    """Run a sidecar called `name` on ports of its own, but for `inbound`."""
    outbound, http = free_ports(2)
    state = scratch / name
    places = (
        *("--instance", name, "--state-dir", state, "--inbound", _loopback(inbound)),
        *("--outbound", _loopback(outbound), "--http", _loopback(http)),
    )
    async with Process((*command, *places), log=scratch / f"{name}.log") as process:
        yield Sidecar(process=process, inbound=inbound, outbound=outbound, http=http, state=state)


def instance(service: str) -> str:
    """Return the name in the mesh of the one sidecar of a service."""
    return service.replace("/", "-")


def _loopback(port: int) -> str:
    return f"127.0.0.1:{port}"
