"""A control plane on the node and sidecars in pods, whose traffic the real rules lead to them."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.capture.namespace import Namespace
from tests.support.capture.net import NODE, Net, Pod
from tests.support.capture.programs import NFTABLES, place
from tests.support.framing import Message
from tests.support.process import Process
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition

DISCOVERY, ADMIN, PAGES, SIDECAR_PAGES = 15010, 15020, 15014, 15090
READY_TIMEOUT_SECONDS = 30
SIDECAR_USER = "0"
"""Whose connections the rules leave alone: sidecars run as root here, and applications do not."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """The network, the directory of the policies that hold on it, and that of programs for its rules."""

    net: Net
    policies: Path
    scratch: Path
    programs: Path


@asynccontextmanager
async def mesh(scratch: Path, on: Net, policies: str) -> AsyncIterator[Mesh]:
    """Run a control plane on the node."""
    directory, programs = scratch / "policies", scratch / "programs"
    directory.mkdir()
    programs.mkdir()
    place(programs, NFTABLES)
    (directory / "policies.yaml").write_text(policies)
    command: tuple[str | Path, ...] = (
        *(*on.node.prefix, sys.executable, "-m", "controlplane", "--insecure"),
        *("--store", "sqlite::memory:", "--policies", directory, "--listen", f"[::]:{DISCOVERY}"),
        *("--admin", f"127.0.0.1:{ADMIN}", "--http", f"127.0.0.1:{PAGES}"),
    )
    async with Process(command, log=scratch / "controlplane.log") as process:
        await process.ready(_answering(on.node, PAGES, "/readyz"), timeout_seconds=READY_TIMEOUT_SECONDS)
        yield Mesh(on, directory, scratch, programs)


@asynccontextmanager
async def captured(  # noqa: PLR0913 (a program's flags are its parameters)
    within: Mesh,
    pod: Pod,
    name: str,
    *,
    of_cluster: bool = False,
    flags: Sequence[str] = (),
    hosts: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> AsyncIterator[Process]:
    """Lead a pod's traffic to a sidecar there, and run it; `name` is its service's, in a cluster its own.

    It knows the addresses of `hosts` beside those that all here know; `prefix` goes before the command.
    """
    lead(pod, within.programs, "--exclude-inbound-ports", str(SIDECAR_PAGES))
    identity, name = ("--workload" if of_cluster else "--service", name), name.replace("/", "-")
    knowing = _knowing(hosts, within.scratch / f"{name}.hosts") if hosts else ()
    program: tuple[str, ...] = (
        *pod.namespace.prefix,
        *prefix,
        *knowing,
        sys.executable,
        "-m",
        "sidecar.main",
    )
    command: tuple[str | Path, ...] = (
        *(*program, *identity, "--insecure"),
        *("--capture", "redirect", "--advertise", pod.address, "--controlplane", f"{NODE}:{DISCOVERY}"),
        *("--state-dir", str(within.scratch / name), "--instance", name),
        *("--http", f"0.0.0.0:{SIDECAR_PAGES}", *flags),
    )
    async with Process(command, log=within.scratch / f"{name}.log") as process:
        await process.ready(
            _answering(pod.namespace, SIDECAR_PAGES, "/ready"), timeout_seconds=READY_TIMEOUT_SECONDS
        )
        yield process


def _knowing(hosts: Mapping[str, str], file: Path) -> tuple[str, ...]:
    """What goes before a command to have it know these hosts."""
    lines = "".join(f"{address} {host}\n" for host, address in hosts.items())
    file.write_text(Path("/etc/hosts").read_text(encoding="utf-8") + lines)
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, str(file))


def lead(pod: Pod, programs: Path, *flags: str) -> None:
    """Run breakwater-capture in a pod, where there are these programs alone."""
    program = (sys.executable, "-m", "sidecar.capture", "--exclude-user", SIDECAR_USER)
    pod.namespace.run("env", f"PATH={programs}", *program, *flags)


async def get(namespace: Namespace, address: str, port: int, path: str = "/", host: str = "app") -> Message:
    """Return the answer to one request of an application in a namespace."""
    async with RawClient(connected=await namespace.connect(address, port)) as client:
        await client.ask(path, host=host)
        return await client.response()


def _answering(namespace: Namespace, port: int, path: str) -> Condition:
    async def holds() -> bool:
        try:
            answer = await get(namespace, "127.0.0.1", port, path)
        except (OSError, EOFError):
            return False
        return answer.status == 200

    return holds
