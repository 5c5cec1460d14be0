"""Runs as data, and the statistics over rounds: medians, extremes, ratios paired within a round."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from tests.bench.load import LoadResult
from tests.bench.machine import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the proxy spent: CPU per request, the part outside the kernel, and the cores it kept busy."""

    cpu_us: float
    user_us: float
    cores: float

    @property
    def kernel_us(self) -> float:
        """The part of the CPU per request that was spent in the kernel."""
        return self.cpu_us - self.user_us


def cost(spent: Usage, *, requests: int, seconds: float) -> Cost:
    """Return what each of `requests` cost when they took `spent` together."""
    cpu_us = spent.cpu_ns / 1e3 / requests
    return Cost(cpu_us=cpu_us, user_us=cpu_us * spent.user_share, cores=spent.cpu_ns / 1e9 / seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One workload against one target in one round; direct runs have no proxy, so no cost.

    `foreign_cores` is how much of the machine others used meanwhile.
    """

    target: str
    workload: str
    round: int
    load: LoadResult
    cost: Cost | None
    foreign_cores: float


Figure: TypeAlias = Callable[[Run], float | None]


def cpu(run: Run) -> float | None:
    """Return the proxy's CPU per request."""
    return None if run.cost is None else run.cost.cpu_us


def user(run: Run) -> float | None:
    """Return the part of it outside the kernel."""
    return None if run.cost is None else run.cost.user_us


def kernel(run: Run) -> float | None:
    """Return the part of it in the kernel."""
    return None if run.cost is None else run.cost.kernel_us


def cores(run: Run) -> float | None:
    """Return how much of its core the proxy kept busy."""
    return None if run.cost is None else run.cost.cores


def rate(run: Run) -> float | None:
    """Return requests per second."""
    return run.load.requests_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of a target's proxy in one round, before and after its load."""

    target: str
    round: int
    idle_kib: int
    loaded_kib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one decision of a pure machine costs, in ns, on one thread and on two that have one each."""

    name: str
    one: float
    two: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that one interleaved run of the bench measured, and the loops of decisions beside it."""

    runs: tuple[Run, ...]
    memory: tuple[Memory, ...]
    decisions: tuple[Decision, ...] = ()

    def of(self, target: str, workload: str) -> tuple[Run, ...]:
        """Return a target's runs of one workload, a round each, in order."""
        return tuple(run for run in self.runs if (run.target, run.workload) == (target, workload))

    def targets(self) -> tuple[str, ...]:
        """Return the measured targets in the order of the first round."""
        return tuple(dict.fromkeys(run.target for run in self.runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and extremes over rounds."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the spread of the values that are there, or `None` for none."""
    known = sorted(value for value in values if value is not None)
    return Spread(median=median(known), low=known[0], high=known[-1]) if known else None


def paired_ratios(ours: Sequence[Run], theirs: Sequence[Run], figure: Figure) -> tuple[float, ...]:
    """Return ours / theirs for each round in which both were measured, in order of rounds."""
    other = {run.round: figure(run) for run in theirs}
    pairs = ((figure(run), other.get(run.round)) for run in ours)
    return tuple(mine / yours for mine, yours in pairs if mine is not None and yours)
