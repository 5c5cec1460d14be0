"""The breaker beside resilience4j's, which nobody here wrote: the same calls, compared after each.

Differences on purpose, which the calls made here stay clear of:

- A result of a call that began before the last transition is ignored by ours; resilience4j counts it in the
  state that it finds. It is told of no such result.
- Ours may probe at the instant at which the open time ends, resilience4j's only after it. No step ends there.
- Ours judges the probes once all of them have finished, resilience4j's once `minimumNumberOfCalls` have.
  There are no more probes than that.
- Failures in a row, a reset time, jitter, `successThreshold` and the wait for silent probes are ours alone
  (resilience4j's waits with a real clock). They are off.
- Back at closed after a person's decision both begin afresh; ours does so by itself, after its time to live.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sidecar.machines.breaker import Breaker, BreakerParams, CountWindow, Permit, Probes, TimeWindow
from sidecar.machines.units import MILLISECOND_NS, SECOND_NS
from tests.support import drawn
from tests.support.breaker_oracle import Oracle, running_oracle
from tests.support.sequences import initialize, invariant, precondition, rule, shown

if TYPE_CHECKING:
    from sidecar.machines.ending import Outcome

FOREVER_NS = 1 << 62
SLOW_NS = 100 * MILLISECOND_NS
STATES = {
    "CLOSED": "closed",
    "OPEN": "open",
    "HALF_OPEN": "half_open",
    "FORCED_OPEN": "forced_open",
    "METRICS_ONLY": "forced_closed",
    "DISABLED": "disabled",
}


def with_probes(minimum_and_probes: tuple[int, int], **params: object) -> BreakerParams:
    """Figures by which there is no verdict before the last probe."""
    minimum, probes = minimum_and_probes
    return BreakerParams(minimum_requests=minimum, trial=Probes(probes=probes), **params)  # type: ignore[arg-type]  # as drawn


params = drawn.builds(
    with_probes,
    minimum_and_probes=drawn.sampled_from(
        [(each, few) for each in range(1, 9) for few in range(1, 6) if few <= each]
    ),
    window=drawn.one_of(
        drawn.builds(CountWindow, size=drawn.integers(1, 12)),
        drawn.just(TimeWindow(duration_ns=10 * SECOND_NS)),
    ),
    error_rate=drawn.sampled_from([10, 25, 50, 75, 100]),
    slow_rate=drawn.sampled_from([20, 50, 100]),
    slow_after_ns=drawn.just(SLOW_NS),
    consecutive_failures=drawn.none(),
    open_base_ns=drawn.sampled_from([1_501 * MILLISECOND_NS, 4_501 * MILLISECOND_NS]),
    open_multiplier=drawn.sampled_from([1, 2, 3]),
    open_max_ns=drawn.just(40_501 * MILLISECOND_NS),
    open_jitter=drawn.just(0),
    max_wait_ns=drawn.just(FOREVER_NS),
)


@dataclass(frozen=True)
class Held:
    """A permit that is out, and how many transitions there had been when it was given."""

    permit: Permit
    stay: int


@pytest.fixture(scope="module", autouse=True)
def _oracle() -> Iterator[None]:
    with running_oracle() as BreakerBesideOracle.oracle:
        yield


class BreakerBesideOracle:
    """Calls that succeed, fail, are slow or are given up, time that passes, and people's decisions."""

    oracle: Oracle

    @initialize(params=params)
    def start(self, params: BreakerParams) -> None:
        self.now_ns = 0
        self.breaker = Breaker(params)
        self.stay = 0
        self.out: list[Held] = []
        self.oracle.start(params)

    @rule()
    def admit(self) -> None:
        answer = self.breaker.admit(self.now_ns, 0)
        self.stay += len(self.breaker.take_transitions())
        assert self.oracle.admit() == isinstance(answer, Permit)
        if isinstance(answer, Permit):
            self.out.append(Held(answer, self.stay))

    @precondition(lambda self: self.out)
    @rule(
        choice=drawn.integers(0, 100),
        failed=drawn.booleans(),
        latency_ns=drawn.sampled_from([0, SLOW_NS, SLOW_NS + 1]),
    )
    def end(self, choice: int, failed: bool, latency_ns: int) -> None:
        held = self.out.pop(choice % len(self.out))
        if held.stay == self.stay:
            self.oracle.end(failed=failed, latency_ns=latency_ns)
        outcome: Outcome = "failure" if failed else "success"
        self.breaker.on_result(held.permit, outcome, latency_ns, self.now_ns, 0)
        self.stay += len(self.breaker.take_transitions())

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100))
    def give_up(self, choice: int) -> None:
        held = self.out.pop(choice % len(self.out))
        if held.stay == self.stay:
            self.oracle.release()
        self.breaker.release(held.permit)

    @rule(count=drawn.integers(1, 6), failed=drawn.booleans(), slow=drawn.booleans())
    def call(self, count: int, failed: bool, slow: bool) -> None:
        for _ in range(count):
            before = len(self.out)
            self.admit()
            if len(self.out) > before:
                self.end(before, failed, SLOW_NS + slow)

    @rule(step_seconds=drawn.sampled_from([1, 2, 5, 12, 41]))
    def wait(self, step_seconds: int) -> None:
        self.now_ns += step_seconds * SECOND_NS
        self.oracle.at(self.now_ns)

    @precondition(lambda self: not self.breaker.state.startswith(("forced", "disabled")))
    @rule(how=drawn.sampled_from(["open", "closed", "disabled"]))
    def force(self, how: str) -> None:
        self.breaker.force(how, FOREVER_NS, self.now_ns)  # type: ignore[arg-type]  # a sampled word
        self.stay += len(self.breaker.take_transitions())
        self.oracle.force(how)

    @precondition(lambda self: self.breaker.state.startswith(("forced", "disabled")))
    @rule()
    def lift(self) -> None:
        self.breaker.lift(self.now_ns)
        self.stay += len(self.breaker.take_transitions())
        self.oracle.lift()

    @invariant()
    def both_are_in_the_same_state(self) -> None:
        assert self.breaker.state == STATES[self.oracle.standing.state]

    @invariant()
    def both_have_counted_the_same(self) -> None:
        if self.breaker.state in {"closed", "half_open", "forced_closed"}:
            counts, standing = self.breaker.counts(self.now_ns), self.oracle.standing
            assert (counts.calls, counts.failures, counts.slow) == (
                standing.calls,
                standing.failures,
                standing.slow,
            )


test_the_oracle_stands_where_ours_does = shown(BreakerBesideOracle, steps=24)
