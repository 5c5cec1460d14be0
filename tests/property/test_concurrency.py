"""The adaptive limit of concurrency against its rules over everything that was ever measured."""

from dataclasses import dataclass, field
from math import prod, sqrt

from sidecar.machines.backpressure import (
    AdaptiveConcurrency,
    Arrival,
    Backpressure,
    BackpressureParams,
    QueueParams,
)
from tests.support import drawn
from tests.support.sequences import initialize, invariant, rule, shown

MS = 1_000_000
WINDOW_NS, WINDOW_REQUESTS = 100 * MS, 10
LATEST = 0.01


@dataclass(frozen=True)
class Sample:
    """One request: when it ended, how long it took, and how many were in flight then, itself included."""

    at_ns: int
    latency_ns: int
    in_flight: int


def moment(first: list[float], second: list[float]) -> float:
    """The covariance of two series of distances from their means, the latest of each weighed most."""
    products = map(prod, zip(first, second, strict=True))
    ages = range(len(first), 0, -1)
    return sum(LATEST * (1 - LATEST) ** age * product for age, product in zip(ages, products, strict=True))


def distances(series: list[float]) -> list[float]:
    """How far each value was off the mean of those before, the first of itself."""
    mean, found = series[0], []
    for value in series:
        found.append(value - mean)
        mean += LATEST * found[-1]
    return found


@dataclass
class Model:
    """Gradient2, and the guard that something else than the load may be slow."""

    params: AdaptiveConcurrency
    limit: float = field(init=False)
    samples: list[Sample] = field(default_factory=list)
    window: list[Sample] = field(default_factory=list)
    windows: int = 0
    long: float = 0

    def __post_init__(self) -> None:
        self.limit = self.within(20)

    def within(self, limit: float) -> float:
        return min(max(limit, self.params.min), self.params.max)

    def take(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.window.append(sample)
        is_long = sample.at_ns - self.window[0].at_ns >= WINDOW_NS
        if is_long and len(self.window) >= WINDOW_REQUESTS:
            self.adapt(self.window)
            self.window = []

    def adapt(self, window: list[Sample]) -> None:
        short = max(1.0, sum(sample.latency_ns for sample in window) / len(window))
        self.windows += 1
        self.long += (short - self.long) * (1 / self.windows if self.windows <= 10 else 2 / 601)
        long = self.long
        if long > 2 * short:
            self.long *= 0.95
        if max(sample.in_flight for sample in window) < self.limit / 2:
            return
        gradient = min(max(self.params.tolerance * long / short, 0.5), 1.0)
        wanted = self.limit * gradient + sqrt(self.limit)
        limit = self.limit * (1 - self.params.smoothing) + wanted * self.params.smoothing
        if limit >= self.limit or self.is_correlated():
            self.limit = self.within(limit)

    def is_correlated(self) -> bool:
        loads = distances([float(sample.in_flight) for sample in self.samples])
        latencies = distances([float(sample.latency_ns) for sample in self.samples])
        covariance = moment(loads, latencies)
        variances = moment(loads, loads) * moment(latencies, latencies)
        return covariance > 0 and covariance**2 >= 0.09 * variances


settings = drawn.builds(
    AdaptiveConcurrency,
    min=drawn.sampled_from([1, 8, 30]),
    max=drawn.sampled_from([30, 512]),
    tolerance=drawn.sampled_from([1.0, 1.5]),
    smoothing=drawn.sampled_from([0.2, 1.0]),
)
latencies = drawn.sampled_from([1, MS, 9 * MS, 100 * MS])


class ConcurrencyMachine:
    """Load that comes and goes, and latency that goes with it or does not."""

    @initialize(settings=settings)
    def start(self, settings: AdaptiveConcurrency) -> None:
        self.model = Model(settings)
        self.front = Backpressure(BackpressureParams(concurrency=settings, queue=QueueParams()))
        self.now_ns = 0

    @rule(count=drawn.integers(1, 60))
    def arrive(self, count: int) -> None:
        for _ in range(count):
            self.front.arrive(Arrival(), self.now_ns)

    @rule(
        count=drawn.integers(1, 40),
        latency_ns=latencies,
        per_load_ns=drawn.sampled_from([0, MS, 20 * MS]),
        step_ns=drawn.sampled_from([MS, 11 * MS, 120 * MS]),
    )
    def finish(self, count: int, latency_ns: int, per_load_ns: int, step_ns: int) -> None:
        for _ in range(min(count, self.front.in_flight)):
            in_flight = self.front.in_flight
            self.now_ns += step_ns
            took_ns = latency_ns + in_flight * per_load_ns
            self.front.finish(self.now_ns, took_ns)
            self.model.take(Sample(self.now_ns, took_ns, in_flight))
            self.the_limit_is_the_models()

    @invariant()
    def the_limit_is_the_models(self) -> None:
        limit = self.model.limit
        assert int(limit - 1e-6) <= self.front.limit <= int(limit + 1e-6)


test_the_limit_is_that_of_every_sample = shown(ConcurrencyMachine, steps=12)
