"""One fault on a stand under traffic, and what is judged of every one of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from tests.support.faults.accounts import accounts
from tests.support.faults.endpoints import fewest_endpoints
from tests.support.faults.judge import Judge
from tests.support.faults.stand import Stand, StandOptions, standing
from tests.support.faults.traffic import ROUTES, Traffic, traffic
from tests.support.faults.versions import Versions, versions
from tests.support.mesh import ControlPlane
from tests.support.metrics import scrape

WARM_UP_SECONDS = 2
TELLTALES = ("Traceback", "never retrieved", "was destroyed", "panicked")


@dataclass(slots=True, kw_only=True)
class Trial:
    """What a test works with.

    Counts are not judged where a sidecar lost its own, nor revisions where what it had kept was damaged.
    """

    stand: Stand
    traffic: Traffic
    versions: Versions
    judges_counts: bool = True
    judges_revisions: bool = True


@asynccontextmanager
async def trial(scratch: Path, judge: Judge, **options: Unpack[StandOptions]) -> AsyncIterator[Trial]:
    """Run a stand under traffic for one fault; at the end nobody has noticed, and the verdict is given."""
    async with standing(scratch, **options) as stand:
        async with (
            traffic(stand.clients) as running,
            versions(stand) as seen,
            fewest_endpoints(stand) as fewest,
        ):
            trial = Trial(stand=stand, traffic=running, versions=seen)
            await running.more(WARM_UP_SECONDS)
            yield trial
            await running.more(1)
        for route in ROUTES:
            judge.expect(f"0 failed on {route}", running.failures(route), held=running.failed(route) == 0)
            if trial.judges_counts:
                told = await accounts(stand, running, route)
                judge.expect(f"all count the same on {route}", told, held=told.agree)
        held = bool(fewest.counts) and min(fewest.counts.values()) > 0
        judge.expect("no endpoint set is emptied, the fewest", fewest, held=held)
        if trial.judges_revisions:
            judge.expect("no sidecar goes back to an older revision", seen, held=not seen.steps_back)
        repairs = [await repaired(plane) for plane in stand.planes if plane.process.is_running]
        judge.expect("control planes had nothing to repair", sum(repairs), held=not any(repairs))
    found = telltales(scratch)
    judge.expect("nothing strange in any log", found or "nothing", held=not found)
    judge.verdict()


async def repaired(plane: ControlPlane) -> float:
    """Return how many entries of a control plane's mirrors were not what the store lists."""
    return (await scrape(plane.http)).total("breakwater_controlplane_registry_repairs_total")


def telltales(scratch: Path) -> list[str]:
    """Return the logs in which something surprised its program, with the first line that says so."""
    logs = sorted(scratch.glob("*.log"))
    lines = ((log.stem, line) for log in logs for line in log.read_text(errors="replace").splitlines())
    found = {stem: line for stem, line in lines if any(telltale in line for telltale in TELLTALES)}
    return [f"{stem}: {line}" for stem, line in found.items()]
