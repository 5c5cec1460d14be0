"""Hedges against a list of everything that happened: when one is due, who gets one, and who pays."""

from fractions import Fraction
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.breaker import State
from sidecar.machines.budget import Budget, BudgetParams, Spent
from sidecar.machines.hedge import hedge_delay_ns, is_hedgeable, pay_hedge
from sidecar.machines.latency import RecentLatency
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.examples import thousands
from tests.support.sequences import initialize, rule, shown

INTERVAL_NS = 10 * SECOND_NS
BUCKETS = 10
MINUTE_BUCKET_NS = 6 * SECOND_NS
ENOUGH = 20
CLOSED = {"closed", "forced_closed", "disabled"}
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}

states = drawn.lists(drawn.sampled_from(get_args(State)), max_size=3)
settings = drawn.builds(
    BudgetParams,
    percent=drawn.sampled_from([0, 12.5, 20, 100]),
    floor_count=drawn.integers(0, 3),
    floor_per_ns=drawn.sampled_from([SECOND_NS, 3 * SECOND_NS, 7 * SECOND_NS + 1]),
)


class HedgeMachine:
    """Calls, hedges and retries of one service, on one budget and one minute of latencies."""

    now_ns = 0

    @initialize(settings=settings)
    def start(self, settings: BudgetParams) -> None:
        self.settings = settings
        self.budget, self.recent = Budget(settings), RecentLatency()
        self.calls: list[int] = []
        self.spent: list[tuple[int, Spent]] = []
        self.latencies: list[tuple[int, int]] = []

    @property
    def bucket(self) -> int:
        return self.now_ns // (INTERVAL_NS // BUCKETS)

    def balance(self) -> Fraction:
        calls = sum(self.bucket - at < BUCKETS for at in self.calls)
        spent = sum(self.bucket - at < BUCKETS for at, _ in self.spent)
        floor = Fraction(self.settings.floor_count * INTERVAL_NS, self.settings.floor_per_ns)
        return Fraction(str(self.settings.percent)) / 100 * calls + floor - spent

    @rule(step_ns=drawn.one_of(drawn.integers(0, 30 * SECOND_NS), drawn.integers(0, SECOND_NS)))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(count=drawn.integers(1, 12), latency_ns=drawn.integers(100_000, 10 * SECOND_NS))
    def call(self, count: int, latency_ns: int) -> None:
        for _ in range(count):
            self.budget.deposit(self.now_ns)
            self.calls.append(self.bucket)
            self.recent.record(latency_ns, self.now_ns)
            self.latencies.append((self.now_ns // MINUTE_BUCKET_NS, latency_ns))

    @rule()
    def retry(self) -> None:
        is_covered = self.balance() >= 1
        spent = self.budget.spend(self.now_ns)
        assert (spent is not None) == is_covered
        self.note(spent)

    @rule(breakers=states)
    def hedge(self, breakers: list[State]) -> None:
        expected = set(breakers) <= CLOSED and self.balance() >= 1
        spent = pay_hedge(breakers, self.budget, self.now_ns)
        assert (spent is not None) == expected
        self.note(spent)

    def note(self, spent: Spent | None) -> None:
        if spent is not None:
            self.spent.append((self.bucket, spent))

    @rule(choice=drawn.integers(0, 100))
    def withdraw(self, choice: int) -> None:
        """A later stage refused what was paid for."""
        recent = [place for place, (at, _) in enumerate(self.spent) if self.bucket - at < BUCKETS]
        if recent:
            _, spent = self.spent.pop(recent[choice % len(recent)])
            self.budget.refund(spent)

    @rule(share=drawn.sampled_from([50, 90, 95, 99]))
    def is_due(self, share: int) -> None:
        minute = self.now_ns // MINUTE_BUCKET_NS
        known = sorted(ns for at, ns in self.latencies if minute - at < BUCKETS)
        delay_ns = hedge_delay_ns(share, self.recent, self.now_ns)
        if len(known) < ENOUGH:
            assert delay_ns is None
            return
        exact_ns = known[-(-share * len(known) // 100) - 1]
        assert delay_ns is not None
        # Latencies are kept in steps of an eighth at most.
        assert abs(delay_ns - exact_ns) <= Fraction(exact_ns, 8) + 1


test_hedges_are_due_and_paid_as_the_list_says = shown(HedgeMachine, steps=20)


@thousands()
@given(
    method=st.one_of(st.sampled_from(sorted(SAFE)), st.text("ADEGHOPRSTU", max_size=7)),
    is_whole=st.booleans(),
)
def test_only_safe_methods_whose_body_is_whole_are_hedged(method: str, is_whole: bool) -> None:
    assert is_hedgeable(method, is_whole) == (method in SAFE and is_whole)
