"""What counts and what times, for Prometheus to read: on one thread, as all of the control plane's state."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING

from registry.families import Family, FamilyType

if TYPE_CHECKING:
    from collections.abc import Iterator


class Count:
    """How often something happened."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, times: int = 1) -> None:
        """It happened once more, or several times."""
        self.value += times


class Counter:
    """Counts, by the texts of their labels."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> None:
        self._family = partial(Family, name=name, help=documentation, type=FamilyType.COUNTER, labels=labels)
        self._counts: dict[tuple[str, ...], Count] = {}

    def labels(self, *texts: str) -> Count:
        """The count with these labels, shown from now on."""
        return self._counts.setdefault(texts, Count())

    def collect(self) -> Iterator[Family]:
        """One family."""
        family = self._family()
        for texts, count in self._counts.items():
            family.add(count.value, texts)
        yield family


class Times:
    """How often something took up to each bound, or longer than the last, and how long all of it took."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """It took so long."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Histogram:
    """Times, by the texts of their labels."""

    def __init__(
        self, name: str, documentation: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> None:
        self._family = partial(
            Family, name=name, help=documentation, type=FamilyType.HISTOGRAM, labels=labels
        )
        self._bounds = bounds
        self._times: dict[tuple[str, ...], Times] = {}

    def labels(self, *texts: str) -> Times:
        """The times with these labels, shown from now on."""
        return self._times.setdefault(texts, Times(self._bounds))

    def collect(self) -> Iterator[Family]:
        """One family."""
        family = self._family()
        for texts, times in self._times.items():
            family.add_spread(times.bounds, times.counts, times.total, texts)
        yield family
