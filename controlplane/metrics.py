"""What the control plane measures about itself, as `breakwater_controlplane_*`."""

import asyncio
from collections.abc import Iterator

from controlplane.counters import Counter, Histogram
from registry.families import Collector, Family, gauge

_PREFIX = "breakwater_controlplane_"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The control plane's own measurements, and what else is measured."""

    def __init__(self) -> None:
        self._collectors: list[Collector] = []
        self.push_seconds = self._histogram(
            "push_duration_seconds", "Time from the sending of a response to its APPLIED.", "type"
        )
        self.convergence_seconds = self._histogram(
            "convergence_seconds",
            "Time from a change to the instant when one sidecar applies all that it wants.",
        ).labels()
        self.compile_seconds = self._histogram(
            "compile_duration_seconds", "Time that one snapshot took to compile."
        ).labels()
        self.pushes = self._counter("pushes_total", "Responses by what became of them: ack or nack.")
        self.commands = self._counter(
            "commands_total",
            "Commands to sidecars by what became of them: answered, failed, refused or unanswered.",
        )
        self.spans = self._counter(
            "spans_total", "Spans of sidecars by what became of them: exported or lost."
        )

    def register(self, collector: Collector) -> None:
        """Shows what `collector` measures, too."""
        self._collectors.append(collector)

    def collect(self) -> Iterator[Family]:
        """Every family, as it is now."""
        for collector in self._collectors:
            yield from collector.collect()

    def _histogram(self, name: str, documentation: str, *labels: str) -> Histogram:
        histogram = Histogram(_PREFIX + name, documentation, _SECONDS, labels)
        self.register(histogram)
        return histogram

    def _counter(self, name: str, documentation: str) -> Counter:
        counter = Counter(_PREFIX + name, documentation, ("result",))
        self.register(counter)
        return counter


class TaskCollector:
    """How many tasks the event loop runs, whose every stream has some: a leak shows here first."""

    def collect(self) -> Iterator[Family]:
        """One gauge, of the loop that asks."""
        yield gauge(_PREFIX + "tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
