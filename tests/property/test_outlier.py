"""Outlier detection against a model that keeps every call of the interval, in exact fractions."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from statistics import median

from hypothesis import assume

from sidecar.machines.balancer import (
    FailurePercentage,
    OutlierParams,
    Outliers,
    Signal,
    SlowerThanOthers,
    SuccessRate,
)
from sidecar.machines.units import MILLISECOND_NS, SECOND_NS
from tests.support import drawn
from tests.support.sequences import initialize, invariant, rule, shown

SEVERITY: dict[Signal, int] = {"success": 0, "failure": 1, "gateway_failure": 2, "connect_failure": 3}
RAMP = (10, 25, 50)
CLOSE = Fraction(1, 10**9)
"""Rates this near to the limit are left to floating point."""

params = drawn.builds(
    OutlierParams,
    interval_ns=drawn.just(10 * SECOND_NS),
    consecutive_failures=drawn.sampled_from([None, 3, 5]),
    consecutive_gateway_failures=drawn.sampled_from([None, 2, 4]),
    connect_failures=drawn.sampled_from([None, 2]),
    success_rate=drawn.sampled_from(
        [None, SuccessRate(stdev_factor=1, minimum_endpoints=3, minimum_requests=4)]
    ),
    failure_percentage=drawn.sampled_from(
        [None, FailurePercentage(threshold=60, minimum_endpoints=2, minimum_requests=3)]
    ),
    latency=drawn.sampled_from([None, SlowerThanOthers(factor=3, sweeps=2, minimum_samples=2)]),
    base_ns=drawn.sampled_from([5 * SECOND_NS, 30 * SECOND_NS]),
    max_ns=drawn.sampled_from([5 * SECOND_NS, 70 * SECOND_NS]),
)


@dataclass
class Endpoint:
    """One endpoint as the rules tell it."""

    calls: list[tuple[Signal, int]] = field(default_factory=list)
    since_reset: list[Signal] = field(default_factory=list)
    slow_sweeps: int = 0
    ejections: int = 0
    since_ns: int = 0
    until_ns: int | None = None

    def is_ejected(self, now_ns: int) -> bool:
        return self.until_ns is not None and now_ns < self.until_ns

    def streak(self, severity: int) -> int:
        count = 0
        for signal in reversed(self.since_reset):
            if SEVERITY[signal] < severity:
                break
            count += 1
        return count

    def rate(self) -> Fraction:
        return Fraction(sum(signal == "success" for signal, _ in self.calls), len(self.calls))

    def p90_ns(self, minimum: int) -> int | None:
        answered = sorted(latency for signal, latency in self.calls if signal != "connect_failure")
        if not answered or len(answered) < minimum:
            return None
        return answered[ceil(len(answered) * Fraction(9, 10)) - 1]

    def share(self, params: OutlierParams, now_ns: int) -> int:
        if self.until_ns is None:
            return 100
        if now_ns < self.until_ns:
            return 0
        step = (now_ns - self.until_ns) // params.interval_ns
        return RAMP[step] if step < len(RAMP) else 100

    def eject(self, params: OutlierParams, now_ns: int) -> None:
        self.ejections += 1
        self.since_ns = now_ns
        self.until_ns = now_ns + min(params.base_ns * self.ejections, params.max_ns)
        self.since_reset = []


class OutlierMachine:
    """Calls to a few endpoints, some of which do worse than the others."""

    @initialize(count=drawn.integers(1, 6), params=params)
    def start(self, count: int, params: OutlierParams) -> None:
        self.params = params
        self.outliers = Outliers(count, params, 0)
        self.model = [Endpoint() for _ in range(count)]
        self.now_ns = 0
        self.due_ns = params.interval_ns

    @rule(
        choice=drawn.integers(0, 100),
        signal=drawn.sampled_from(sorted(SEVERITY)),
        count=drawn.integers(1, 5),
        latency_ns=drawn.sampled_from([1, 4, 10]).map(lambda value: value * MILLISECOND_NS),
    )
    def call(self, choice: int, signal: Signal, count: int, latency_ns: int) -> None:
        at = choice % len(self.model)
        endpoint = self.model[at]
        for _ in range(count):
            cause = self.outliers.on_result(at, signal, latency_ns, self.now_ns)
            if endpoint.is_ejected(self.now_ns):
                assert cause is None
                continue
            endpoint.calls.append((signal, latency_ns))
            endpoint.since_reset.append(signal)
            assert cause == self.streak_cause(endpoint)
            if cause:
                endpoint.eject(self.params, self.now_ns)

    def streak_cause(self, endpoint: Endpoint) -> str | None:
        limits = (
            (3, self.params.connect_failures, "connect_failures"),
            (2, self.params.consecutive_gateway_failures, "consecutive_gateway_failures"),
            (1, self.params.consecutive_failures, "consecutive_failures"),
        )
        reached = (cause for severity, limit, cause in limits if limit and endpoint.streak(severity) >= limit)
        return next(reached, None)

    @rule(failures=drawn.lists(drawn.integers(0, 5), min_size=6, max_size=6), slow=drawn.integers(0, 8))
    def round(self, failures: list[int], slow: int) -> None:
        """Five calls to each, of which some fail; one endpoint may be slow."""
        for at, count in enumerate(failures[: len(self.model)]):
            latency_ns = (4 if at == slow else 1) * MILLISECOND_NS
            for failed in range(5):
                self.call(at, "failure" if failed < count else "success", 1, latency_ns)

    @rule(step_seconds=drawn.sampled_from([1, 4, 5, 10, 45]))
    def wait_and_sweep(self, step_seconds: int) -> None:
        self.now_ns += step_seconds * SECOND_NS
        if self.now_ns < self.due_ns:
            assert self.outliers.sweep(self.now_ns) == []
            return
        expected = self.judge()
        assert self.outliers.sweep(self.now_ns) == expected
        for at, _ in expected:
            self.model[at].eject(self.params, self.now_ns)
        sweeps = range(self.due_ns, self.now_ns + 1, self.params.interval_ns)
        self.due_ns = sweeps[-1] + self.params.interval_ns
        for endpoint in self.model:
            endpoint.calls = []
            healthy = sum(not endpoint.is_ejected(at_ns) for at_ns in sweeps)
            endpoint.ejections = max(0, endpoint.ejections - healthy)

    def judge(self) -> list[tuple[int, str]]:
        causes: dict[int, str] = {}
        causes |= dict.fromkeys(self.slow(), "latency")
        causes |= dict.fromkeys(self.failing(), "failure_percentage")
        causes |= dict.fromkeys(self.behind(), "success_rate")
        return sorted(causes.items())

    def eligible(self, rules: SuccessRate | FailurePercentage) -> list[int]:
        found = [
            at
            for at, endpoint in enumerate(self.model)
            if not endpoint.is_ejected(self.now_ns) and len(endpoint.calls) >= rules.minimum_requests
        ]
        return found if len(found) >= rules.minimum_endpoints else []

    def failing(self) -> list[int]:
        rules = self.params.failure_percentage
        if rules is None:
            return []
        return [
            at
            for at in self.eligible(rules)
            if (1 - self.model[at].rate()) * 100 >= Fraction(rules.threshold)
        ]

    def behind(self) -> list[int]:
        rules = self.params.success_rate
        if rules is None or not (compared := self.eligible(rules)):
            return []
        rates = {at: self.model[at].rate() for at in compared}
        mean = sum(rates.values(), Fraction()) / len(rates)
        variance = sum(((rate - mean) ** 2 for rate in rates.values()), Fraction()) / len(rates)
        allowed = Fraction(rules.stdev_factor) ** 2 * variance
        assume(all(abs((mean - rate) ** 2 - allowed) > CLOSE or variance == 0 for rate in rates.values()))
        return [at for at, rate in rates.items() if rate < mean and (mean - rate) ** 2 > allowed]

    def slow(self) -> list[int]:
        rules = self.params.latency
        if rules is None:
            return []
        p90s = {
            at: p90_ns
            for at, endpoint in enumerate(self.model)
            if not endpoint.is_ejected(self.now_ns)
            and (p90_ns := endpoint.p90_ns(rules.minimum_samples)) is not None
        }
        found = []
        for at, endpoint in enumerate(self.model):
            others = [p90_ns for other, p90_ns in p90s.items() if other != at]
            is_slow = at in p90s and bool(others) and p90s[at] > rules.factor * median(others)
            endpoint.slow_sweeps = endpoint.slow_sweeps + 1 if is_slow else 0
            if endpoint.slow_sweeps >= rules.sweeps:
                endpoint.slow_sweeps = 0
                found.append(at)
        return found

    @invariant()
    def everybody_stands_as_in_the_model(self) -> None:
        for at, endpoint in enumerate(self.model):
            ejected = self.outliers.ejected(at, self.now_ns)
            aside = (endpoint.since_ns, endpoint.until_ns) if endpoint.is_ejected(self.now_ns) else None
            assert ejected == aside
            assert self.outliers.share(at, self.now_ns) == endpoint.share(self.params, self.now_ns)
            assert self.outliers.ejections(at) == endpoint.ejections


test_whoever_is_ejected_is_who_the_fractions_say = shown(OutlierMachine, steps=20)
