"""How much something grew over the last minute: one bucket a second, spread over the time it was counted in.

Sidecars count for a while and then report, so an increase belongs to the whole time since the report before.
Spreading it keeps a rate steady whatever the phase of the reports.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

SECOND_NS = 1_000_000_000
KEPT_SECONDS = 75
"""A window of a minute, and how late the reports about it may come."""


Slots: TypeAlias = deque[tuple[int, list[float]]]
"""Values by second, oldest first: the sum or counter, then the buckets of a histogram."""


@dataclass(slots=True)
class Ring:
    """Increases per second.

    `slots` have what grew within a second. `tails` have what grew evenly up to a second, each second, and
    began before all that is kept: a fleet that comes back after an outage is told in one step a series
    rather than in one for every second. Mutable, because a report touches hundreds of rings every other
    second.
    """

    slots: Slots = field(default_factory=deque)
    tails: Slots = field(default_factory=deque)

    def add(self, increase: tuple[float, ...], start_ns: int, end_ns: int) -> None:
        """Counts `increase` as having grown evenly from `start_ns` to `end_ns`."""
        first, last = start_ns // SECOND_NS, max(end_ns - 1, start_ns) // SECOND_NS
        length_ns = max(end_ns - start_ns, 1)
        if first < last - KEPT_SECONDS:
            _add(self.tails, last, increase, SECOND_NS / length_ns)
            first = last
        for second in range(first, last + 1):
            overlap_ns = min(end_ns, (second + 1) * SECOND_NS) - max(start_ns, second * SECOND_NS)
            _add(self.slots, second, increase, overlap_ns / length_ns if end_ns > start_ns else 1.0)
        for kept in (self.slots, self.tails):
            while kept and kept[0][0] < last - KEPT_SECONDS:
                kept.popleft()

    def total(self, first: int, last: int) -> list[float]:
        """What grew in the seconds from `first` up to `last`, without the latter; empty for nothing."""
        chosen = [values for second, values in self.slots if first <= second < last]
        for second, values in self.tails:
            if (seconds := min(second, last) - first) > 0:
                chosen.append([value * seconds for value in values])
        return [sum(column) for column in zip(*chosen, strict=True)]


def _add(slots: Slots, second: int, increase: tuple[float, ...], share: float) -> None:
    """Adds a share of `increase` to the slot of a second."""
    position = len(slots)
    while position and slots[position - 1][0] >= second:
        position -= 1
    if position == len(slots) or slots[position][0] != second:
        slots.insert(position, (second, [0.0] * len(increase)))
    slot = slots[position][1]
    for index, value in enumerate(increase):
        slot[index] += value * share
