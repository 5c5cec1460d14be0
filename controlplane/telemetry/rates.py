"""How much something grew over the last minute: one bucket a second, spread over the time it was counted in.

Sidecars count for a while and then report, so an increase belongs to the whole time since the report before.
Spreading it keeps a rate steady whatever the phase of the reports.
"""

from collections import deque
from dataclasses import dataclass, field

SECOND_NS = 1_000_000_000
KEPT_SECONDS = 75
"""A window of a minute, and how late the reports about it may come."""


@dataclass(slots=True)
class Ring:
    """Increases per second, oldest first: the sum or counter, then the buckets of a histogram.

    Mutable, because a report touches hundreds of rings every other second.
    """

    slots: deque[tuple[int, list[float]]] = field(default_factory=deque)

    def add(self, increase: tuple[float, ...], start_ns: int, end_ns: int) -> None:
        """Counts `increase` as having grown evenly from `start_ns` to `end_ns`."""
        first, last = start_ns // SECOND_NS, max(end_ns - 1, start_ns) // SECOND_NS
        length_ns = max(end_ns - start_ns, 1)
        for second in range(max(first, last - KEPT_SECONDS), last + 1):
            overlap_ns = min(end_ns, (second + 1) * SECOND_NS) - max(start_ns, second * SECOND_NS)
            share = overlap_ns / length_ns if end_ns > start_ns else 1.0
            slot = self._slot(second, len(increase))
            for index, value in enumerate(increase):
                slot[index] += value * share
        while self.slots and self.slots[0][0] < last - KEPT_SECONDS:
            self.slots.popleft()

    def total(self, first: int, last: int) -> list[float]:
        """What grew in the seconds from `first` up to `last`, without the latter; empty for nothing."""
        chosen = [values for second, values in self.slots if first <= second < last]
        return [sum(column) for column in zip(*chosen, strict=True)]

    def _slot(self, second: int, width: int) -> list[float]:
        position = len(self.slots)
        while position and self.slots[position - 1][0] >= second:
            position -= 1
            if self.slots[position][0] == second:
                return self.slots[position][1]
        slot = [0.0] * width
        self.slots.insert(position, (second, slot))
        return slot
