"""How much something grew over the last minute: one bucket a second, spread over the time it was counted in.

Sidecars count for a while and then report, so an increase belongs to the whole time since the report before.
Spreading it keeps a rate steady whatever the phase of the reports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

SECOND_NS = 1_000_000_000
KEPT_SECONDS = 75
"""A window of a minute, and how late the reports about it may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Which share of an increase grew in each of some seconds.

    `tail` is a second, and the share of each one before it, when that goes back to before all that is kept.
    The same for every series of a report.
    """

    seconds: tuple[tuple[int, float], ...]
    tail: tuple[int, float] | None = None

    @property
    def last(self) -> int:
        """The newest of the seconds."""
        return self.seconds[-1][0]


def spread(start_ns: int, end_ns: int) -> Spread:
    """How what grew evenly from `start_ns` to `end_ns` is spread over seconds."""
    first, last = start_ns // SECOND_NS, max(end_ns - 1, start_ns) // SECOND_NS
    if end_ns <= start_ns:
        return Spread(seconds=((last, 1.0),))
    length_ns, tail = end_ns - start_ns, None
    if first < last - KEPT_SECONDS:
        first, tail = last, (last, SECOND_NS / length_ns)
    shares = (
        (second, (min(end_ns, (second + 1) * SECOND_NS) - max(start_ns, second * SECOND_NS)) / length_ns)
        for second in range(first, last + 1)
    )
    return Spread(seconds=tuple(shares), tail=tail)


@dataclass(slots=True)
class Ring:
    """Increases per second: the sum or counter, then the buckets of a histogram.

    `slots` have what grew within a second. `tails` have what grew evenly up to a second, each second, and
    began before all that is kept: a fleet that comes back after an outage is told in one step a series
    rather than in one for every second. Mutable, because a report touches hundreds of rings every other
    second.
    """

    slots: dict[int, list[float]] = field(default_factory=dict)
    tails: dict[int, list[float]] = field(default_factory=dict)

    def add(self, increase: Sequence[float], over: Spread) -> None:
        """Counts `increase` as having grown over some seconds."""
        if over.tail:
            _add(self.tails, *over.tail, increase)
        for second, share in over.seconds:
            _add(self.slots, second, share, increase)
        _forget(self.slots, over.last)
        if self.tails:
            _forget(self.tails, over.last)

    def total(self, first: int, last: int) -> list[float]:
        """What grew in the seconds from `first` up to `last`, without the latter; empty for nothing."""
        chosen = [values for second, values in self.slots.items() if first <= second < last]
        for second, values in self.tails.items():
            if (seconds := min(second, last) - first) > 0:
                chosen.append([value * seconds for value in values])
        return [sum(column) for column in zip(*chosen, strict=True)]


def _add(slots: dict[int, list[float]], second: int, share: float, increase: Sequence[float]) -> None:
    slot = slots.get(second)
    if slot is None:
        slots[second] = [value * share for value in increase]
    elif len(increase) == 1:
        slot[0] += increase[0] * share
    else:
        slots[second] = [known + value * share for known, value in zip(slot, increase, strict=True)]


def _forget(slots: dict[int, list[float]], last: int) -> None:
    """Drop the oldest seconds, which came first, as far as they are too old."""
    while slots and (oldest := next(iter(slots))) < last - KEPT_SECONDS:
        del slots[oldest]
