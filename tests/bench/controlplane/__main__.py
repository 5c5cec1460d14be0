"""The bench of the control plane: how changes reach many light sidecars, and what holding them costs."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.awake import awake
from tests.bench.controlplane.figures import Results
from tests.bench.controlplane.goals import judge
from tests.bench.controlplane.lights import LateError
from tests.bench.controlplane.report import tables
from tests.bench.controlplane.runs import Plan, run
from tests.bench.install import build_fleet, compile_packages
from tests.bench.site import BUILD, CONTROL_PLANE_RESULTS, CoresError, two_cores
from tests.bench.tables import goal_table, say
from tests.support.process import ProcessFailedError

SIZES = (100, 300, 1_000, 5_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status."""
    options = parser().parse_args(arguments)
    BUILD.mkdir(parents=True, exist_ok=True)
    compile_packages()
    build_fleet()
    try:
        results = measure(options)
    except (CoresError, LateError, ProcessFailedError) as error:
        say(f"bench: {error}")
        return 1
    goals = judge(results)
    CONTROL_PLANE_RESULTS.write_text(json.dumps(goals, indent=2) + "\n")
    say(f"\n{tables(results)}\n\n{goal_table(goals)}\n\nwritten to {CONTROL_PLANE_RESULTS}")
    return 0


def measure(options: argparse.Namespace) -> Results:
    """Return what a whole run measured.

    Raises:
        CoresError: There is only one core.
        LateError: Sidecars did not get as far as they should.
        ProcessFailedError: A program did not start.
    """
    load_core, core = two_cores()
    os.sched_setaffinity(0, {load_core})  # etcd and the light sidecars, which we start, stay with us
    with (
        awake((load_core, core)) as spinners,
        tempfile.TemporaryDirectory(dir=BUILD, prefix="run-") as scratch,
    ):
        plan = Plan(
            sizes=options.sidecars,
            edits=options.edits,
            pushes=options.pushes,
            seconds=options.seconds,
            with_mass=not options.no_mass,
            core=core,
            spinners=spinners,
        )
        return asyncio.run(run(plan, Path(scratch)))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the bench's command line."""
    flags = argparse.ArgumentParser(prog="python -m tests.bench.controlplane", description=__doc__)
    flags.add_argument("--sidecars", type=sizes, default=SIZES, help="default: %(default)s")
    flags.add_argument("--edits", type=int, default=100, help="with 1,000 sidecars; default: %(default)s")
    flags.add_argument("--pushes", type=int, default=20, help="of 20 KB, of each size; default: %(default)s")
    flags.add_argument(
        "--seconds", type=int, default=8, help="of churn, and of flapping; default: %(default)s"
    )
    flags.add_argument("--no-mass", action="store_true", help="leave the 10,000 policies out")
    return flags


def sizes(text: str) -> tuple[int, ...]:
    """Return the sizes of the fleet that a comma-separated list names."""
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
