"""The bench's figures as tables of plain text."""

from collections.abc import Sequence

from tests.bench.figures import (
    Decision,
    Memory,
    Results,
    Run,
    Spread,
    cores,
    cpu,
    kernel,
    paired_ratios,
    rate,
    spread,
    user,
)
from tests.bench.load import WORKLOADS
from tests.bench.stand import MAX_FOREIGN_CORES
from tests.bench.tables import table
from tests.bench.targets import BASE


def line(run: Run) -> str:
    """Return one run as it is shown while the bench goes on."""
    spent = "" if run.cost is None else f"{run.cost.cpu_us:6.1f} us CPU, {run.cost.cores:.2f} cores"
    disturbed = (
        f"  (others used {run.foreign_cores:.2f} cores)" if run.foreign_cores > MAX_FOREIGN_CORES else ""
    )
    rate_text = f"{run.load.requests_per_second:8,.0f}/s"
    return f"round {run.round + 1}  {run.target:13} {run.workload:5} {rate_text}  {spent}{disturbed}".rstrip()


def tables(results: Results) -> str:
    """Return tables: medians, extremes and ratios paired within rounds, by workload; memory; decisions."""
    workloads = (_workload(results, workload) for workload in WORKLOADS)
    return "\n\n".join([*workloads, _memory(results), _decisions(results.decisions)])


def _workload(results: Results, workload: str) -> str:
    header = (
        "target",
        "requests/s",
        "CPU us/request",
        f"x {BASE}",
        "user",
        "kernel",
        "cores",
        "p50 us",
        "p99 us",
        "foreign",
    )
    rows = (_target_row(results, target, workload) for target in results.targets())
    return table(f"{workload}: median [least..most] of rounds", header, rows)


def _target_row(results: Results, target: str, workload: str) -> tuple[str, ...]:
    runs = results.of(target, workload)
    ratio = spread(paired_ratios(runs, results.of(BASE, workload), cpu))
    return (
        target,
        _median(spread(map(rate, runs)), ",.0f"),
        _full(spread(map(cpu, runs)), ".1f"),
        _full(ratio, ".2f"),
        _median(spread(map(user, runs)), ".1f"),
        _median(spread(map(kernel, runs)), ".1f"),
        _median(spread(map(cores, runs)), ".2f"),
        _median(spread(run.load.p50_us for run in runs), ",.0f"),
        _median(spread(run.load.p99_us for run in runs), ",.0f"),
        _median(spread(run.foreign_cores for run in runs), ".2f"),
    )


def _decisions(decisions: Sequence[Decision]) -> str:
    rows = ((decision.name, f"{decision.one:.1f}", f"{decision.two:.1f}") for decision in decisions)
    return table("Decisions, ns each", ("machine", "one thread", "two"), rows)


def _memory(results: Results) -> str:
    rows = (
        _memory_row(results.memory, target)
        for target in dict.fromkeys(memory.target for memory in results.memory)
    )
    return table("Resident memory, MB", ("target", "idle", "after load"), rows)


def _memory_row(memory: Sequence[Memory], target: str) -> tuple[str, ...]:
    rows = [row for row in memory if row.target == target]
    idle, loaded = (row.idle_kib / 1024 for row in rows), (row.loaded_kib / 1024 for row in rows)
    return target, _full(spread(idle), ".1f"), _full(spread(loaded), ".1f")


def _median(known: Spread | None, form: str) -> str:
    return "-" if known is None else format(known.median, form)


def _full(known: Spread | None, form: str) -> str:
    if known is None:
        return "-"
    return f"{known.median:{form}} [{known.low:{form}}..{known.high:{form}}]"
