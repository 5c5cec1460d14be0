"""Control planes that are gone, and what sidecars say of it."""

import time

from tests.support.faults.journal import events
from tests.support.faults.stand import Stand
from tests.support.mesh import ControlPlane, Sidecar
from tests.support.metrics import scrape
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, that, until


async def kill_planes(stand: Stand) -> None:
    """Kill every control plane."""
    for plane in stand.planes:
        await plane.process.kill()


async def return_planes(stand: Stand) -> float:
    """Start every control plane; return how long the last sidecar waited for the first that was ready."""
    at = time.time()
    for plane in stand.planes:
        await plane.process.start()
    for plane in stand.planes:
        await plane.ready()
    await stand.converge()
    ready = [
        one.at for plane in stand.planes for one in events(plane.process, "control plane ready", since=at)
    ]
    return max(arrivals(stand, at)) - min(ready)


def arrivals(stand: Stand, since: float) -> list[float]:
    """Return the instants at which sidecars connected to some control plane, in order."""
    return sorted(
        one.at for plane in stand.planes for one in events(plane.process, "sidecar connected", since=since)
    )


def all_stale(stand: Stand) -> Condition:
    """Return the condition that every sidecar says that it is on its own."""

    async def holds() -> bool:
        pages = [await scrape(one.http) for one in stand.sidecars]
        return all(page.total("breakwater_config_stale") == 1 for page in pages)

    return holds


async def config_age(member: Sidecar) -> float:
    """Return for how long a sidecar says that it has been on its own, seconds."""
    return (await scrape(member.http)).total("breakwater_config_age_seconds")


def connected_to(plane: ControlPlane) -> set[str]:
    """Return who is connected to a control plane, as its log says."""
    held: set[str] = set()
    for entry in events(plane.process, "sidecar connected", "sidecar gone"):
        (held.add if entry.event == "sidecar connected" else held.discard)(entry.fields["instance"])
    return held


def went_over(plane: ControlPlane, instances: set[str], since: float) -> Condition:
    """Return the condition that sidecars have connected to a control plane since an instant."""

    def all_have() -> bool:
        came = events(plane.process, "sidecar connected", since=since)
        return instances <= {entry.fields["instance"] for entry in came}

    return that(all_have)


async def restart(member: Sidecar, port: int, host: str) -> float:
    """Kill and start a sidecar; return the seconds from its start until it answers for `host` at a port."""
    await member.process.kill()
    began = time.monotonic()
    await member.process.start()

    async def serves() -> bool:
        try:
            return (await fetch(port, host=host)).status == 200
        except (OSError, EOFError):
            return False

    await until(serves)
    return time.monotonic() - began
