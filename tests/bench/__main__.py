"""The bench of the data plane: `python -m tests.bench install`, then `python -m tests.bench run`."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import goals, report, rounds
from tests.bench.install import install
from tests.bench.site import BUILD, OUR_VENV, RESULTS, Site
from tests.bench.targets import BASE, OURS, TARGETS
from tests.support.ports import free_port
from tests.support.process import ProcessFailedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, or 1 when a run was invalid or ours costs more than `--bar` allows."""
    options = parser().parse_args(arguments)
    if options.command == "install":
        install(with_ours=options.ours)
        return 0
    try:
        return asyncio.run(run(options))
    except (rounds.InvalidRunError, ProcessFailedError, FileNotFoundError) as error:
        report.say(f"bench: {error}")
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the parser of the bench's own command line."""
    whole = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    add = commands.add_parser("install", help="build and install what the targets need")
    add.add_argument(
        "--no-ours", dest="ours", action="store_false", help="leave our own release build as it is"
    )
    go = commands.add_parser("run", help="measure, print the tables, write build/bench/dataplane.json")
    go.add_argument("--targets", type=target_names, default=tuple(TARGETS), help="default: %(default)s")
    go.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    go.add_argument("--seconds", type=int, default=3, help="length of each run; default: %(default)s")
    go.add_argument("--tries", type=int, default=8, help="to find a quiet one; 1 also waits for no lull")
    go.add_argument("--bar", type=float, help=f"fail when our CPU at saturation is more than this x {BASE}")
    go.add_argument(
        "--programs", type=Path, default=OUR_VENV / "bin", help="where ours are; default: %(default)s"
    )
    return whole


def target_names(text: str) -> tuple[str, ...]:
    """Return the targets that a comma-separated list names.

    Raises:
        argparse.ArgumentTypeError: One of them does not exist.
    """
    names = tuple(text.split(","))
    if unknown := sorted(set(names) - set(TARGETS)):
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return names


async def run(options: argparse.Namespace) -> int:
    """Measure, print and write; return the exit status."""
    plan = rounds.Plan(
        targets=options.targets,
        rounds=options.rounds,
        seconds=options.seconds,
        tries=options.tries,
        lull_timeout_seconds=30 if options.tries > 1 else 0,
    )
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="run-") as scratch:
        site = Site(origin_port=free_port(), scratch=Path(scratch), our_programs=options.programs)
        visits = []
        async for visit in rounds.measure(plan, site):
            visits.append(visit)
            report.say("\n".join(map(report.line, visit.runs)))
    results = rounds.collect(visits)
    judged = goals.judge(results)
    RESULTS.write_text(json.dumps(judged, indent=2) + "\n")
    report.say(f"\n{report.tables(results)}\n\n{report.goal_table(judged)}\n\nwritten to {RESULTS}")
    return verdict(goals.saturation_ratio(results), options.bar)


def verdict(ratio: float | None, bar: float | None) -> int:
    """Return the exit status, having said how our cost compares with the bar."""
    if bar is None:
        return 0
    held = ratio is not None and ratio <= bar
    report.say(f"{OURS}: {ratio} x {BASE}, bar {bar}: {'held' if held else 'missed'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
