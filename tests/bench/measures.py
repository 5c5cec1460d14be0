"""How a goal's figure comes out of the results: a ratio to a peer, a figure of ours, or memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from tests.bench.figures import Figure, Results, paired_ratios, spread
from tests.bench.targets import OURS, OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One figure of every round, ours and the peers' behind it as medians."""

    rounds: tuple[float, ...]
    ours: float | None
    peers: Mapping[str, float]


Measure: TypeAlias = Callable[[Results], Measured]


def against(peer: str, workload: str, figure: Figure, *, ours: str = OURS) -> Measure:
    """Return the measure that divides the figure of one of our targets by a peer's, round by round."""

    def measure(results: Results) -> Measured:
        ratios = paired_ratios(results.of(ours, workload), results.of(peer, workload), figure)
        return _with_medians(ratios, _medians(results, workload, figure), ours)

    return measure


def absolute(workload: str, figure: Figure) -> Measure:
    """Return the measure that is our figure itself."""

    def measure(results: Results) -> Measured:
        known = (figure(run) for run in results.of(OURS, workload))
        return _with_medians(tuple(f for f in known if f is not None), _medians(results, workload, figure))

    return measure


def resident(*, loaded: bool) -> Measure:
    """Return the measure of resident memory in MB of 1024 KiB."""

    def measure(results: Results) -> Measured:
        by_target: dict[str, list[float]] = {}
        for memory in results.memory:
            kib = memory.loaded_kib if loaded else memory.idle_kib
            by_target.setdefault(memory.target, []).append(kib / 1024)
        medians = {target: median(values) for target, values in by_target.items()}
        return _with_medians(tuple(by_target.get(OURS, ())), medians)

    return measure


def decided(name: str, *, beside: str = "") -> Measure:
    """Return the measure of one decision, beside another library's where there is one."""

    def measure(results: Results) -> Measured:
        costs = {decision.name: decision.one for decision in results.decisions}
        ours = costs.get(name)
        peers = {beside: costs[beside]} if beside in costs else {}
        return Measured(rounds=() if ours is None else (ours,), ours=ours, peers=peers)

    return measure


def _medians(results: Results, workload: str, figure: Figure) -> dict[str, float]:
    spreads = {target: spread(map(figure, results.of(target, workload))) for target in results.targets()}
    return {target: known.median for target, known in spreads.items() if known is not None}


def _with_medians(rounds: tuple[float, ...], medians: Mapping[str, float], ours: str = OURS) -> Measured:
    peers = {target: value for target, value in medians.items() if target not in OWN}
    return Measured(rounds=rounds, ours=medians.get(ours), peers=peers)
