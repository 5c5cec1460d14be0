"""What the control plane measures about itself, as `breakwater_controlplane_*`."""

import asyncio
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The control plane's own measurements, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.push_seconds = Histogram(
            "breakwater_controlplane_push_duration_seconds",
            "Time from the sending of a response to its APPLIED.",
            ("type",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.convergence_seconds = Histogram(
            "breakwater_controlplane_convergence_seconds",
            "Time from a change to the instant when one sidecar applies all that it wants.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.compile_seconds = Histogram(
            "breakwater_controlplane_compile_duration_seconds",
            "Time that one snapshot took to compile.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.pushes = Counter(
            "breakwater_controlplane_pushes",
            "Responses by what became of them: ack or nack.",
            ("result",),
            registry=self.registry,
        )
        self.commands = Counter(
            "breakwater_controlplane_commands",
            "Commands to sidecars by what became of them: answered, failed, refused or unanswered.",
            ("result",),
            registry=self.registry,
        )


class TaskCollector(Collector):
    """How many tasks the event loop runs, whose every stream has some: a leak shows here first."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge, of the loop that asks."""
        tasks = len(asyncio.all_tasks())
        yield GaugeMetricFamily("breakwater_controlplane_tasks", "Tasks of the event loop.", value=tasks)
