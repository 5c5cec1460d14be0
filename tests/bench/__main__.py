"""The bench of the data plane, one interleaved run: ours and its peers, what each request costs."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.figures import Results
from tests.bench.goals import judge, saturation_ratio
from tests.bench.install import install
from tests.bench.loops import time_decisions
from tests.bench.report import line, tables
from tests.bench.rounds import InvalidRunError, Plan, collect, measure
from tests.bench.site import BUILD, RESULTS, CoresError, Site, two_cores
from tests.bench.tables import goal_table, say
from tests.bench.targets import BASE, OURS, TARGETS
from tests.support.ports import free_port
from tests.support.process import ProcessFailedError

LULL_TIMEOUT_SECONDS = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, or 1 when a run was invalid or ours costs more than `--bar` allows."""
    options = parser().parse_args(arguments)
    plan = Plan(
        targets=options.targets,
        rounds=options.rounds,
        seconds=options.seconds,
        tries=options.tries,
        lull_timeout_seconds=LULL_TIMEOUT_SECONDS if options.tries > 1 else 0,
    )
    install()
    say(f"bench: about {plan.least_minutes:.1f} minutes, longer while others use this machine")
    try:
        results = asyncio.run(run(plan))
    except (CoresError, InvalidRunError, ProcessFailedError) as error:
        say(f"bench: {error}")
        return 1
    publish(results)
    return verdict(saturation_ratio(results), options.bar)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the bench's command line."""
    flags = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    flags.add_argument("--targets", type=target_names, default=tuple(TARGETS), help="default: all of them")
    flags.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    flags.add_argument("--seconds", type=int, default=3, help="length of each run; default: %(default)s")
    flags.add_argument(
        "--tries", type=int, default=8, help="to find a quiet one; with 1 no lull is waited for"
    )
    flags.add_argument("--bar", type=float, help=f"fail when our CPU at saturation is above this x {BASE}")
    return flags


def target_names(text: str) -> tuple[str, ...]:
    """Return the targets that a comma-separated list names.

    Raises:
        argparse.ArgumentTypeError: One of them does not exist.
    """
    names = tuple(text.split(","))
    if unknown := sorted(set(names) - set(TARGETS)):
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return names


async def run(plan: Plan) -> Results:
    """Return what a whole run measured, having shown each figure as it came."""
    visits = []
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="run-") as scratch:
        load_core, proxy_core = two_cores()
        site = Site(
            origin_port=free_port(),
            scratch=Path(scratch),
            load_core=load_core,
            proxy_core=proxy_core,
        )
        async for visit in measure(plan, site):
            visits.append(visit)
            say("\n".join(map(line, visit.runs)))
    return replace(collect(visits), decisions=time_decisions())


def publish(results: Results) -> None:
    """Print the tables and write the goals."""
    goals = judge(results)
    RESULTS.write_text(json.dumps(goals, indent=2) + "\n")
    say(f"\n{tables(results)}\n\n{goal_table(goals)}\n\nwritten to {RESULTS}")


def verdict(ratio: float | None, bar: float | None) -> int:
    """Return the exit status, having said how our cost compares with the bar."""
    if bar is None:
        return 0
    held = ratio is not None and ratio <= bar
    found = "not measured" if ratio is None else f"{ratio:.2f} x {BASE}"
    say(f"{OURS}: {found}, at most {bar} is asked for: {'held' if held else 'missed'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
