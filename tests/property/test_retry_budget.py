"""The retry budget against exact fractions over everything that ever happened."""

from fractions import Fraction
from typing import NamedTuple

from sidecar.machines.budget import Budget, BudgetParams, Spent
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.sequences import initialize, invariant, rule, shown

INTERVAL_NS = 10 * SECOND_NS
BUCKETS = 10


class Retry(NamedTuple):
    at_bucket: int
    receipt: Spent


def params(percent: float, count: int, per_ns: int) -> BudgetParams:
    return BudgetParams(percent=percent, interval_ns=INTERVAL_NS, floor_count=count, floor_per_ns=per_ns)


settings = drawn.builds(
    params,
    percent=drawn.sampled_from([0, 0.5, 20, 30, 33.3, 100]),
    count=drawn.integers(0, 3),
    per_ns=drawn.sampled_from([SECOND_NS, 3 * SECOND_NS, 7 * SECOND_NS + 1]),
)


class BudgetMachine:
    """Spends from the budget what the sums allow, and never more."""

    now_ns = 0

    @initialize(settings=settings)
    def start(self, settings: BudgetParams) -> None:
        self.settings = settings
        self.budget = Budget(settings)
        self.requests: list[int] = []
        self.retries: list[Retry] = []

    @property
    def bucket(self) -> int:
        return self.now_ns // (INTERVAL_NS // BUCKETS)

    def balance(self) -> Fraction:
        requests = sum(self.bucket - at < BUCKETS for at in self.requests)
        retries = sum(self.bucket - retry.at_bucket < BUCKETS for retry in self.retries)
        floor = Fraction(self.settings.floor_count * INTERVAL_NS, self.settings.floor_per_ns)
        return Fraction(str(self.settings.percent)) / 100 * requests + floor - retries

    @rule(count=drawn.integers(1, 12))
    def deposit(self, count: int) -> None:
        for _ in range(count):
            self.budget.deposit(self.now_ns)
            self.requests.append(self.bucket)

    @rule()
    def spend(self) -> None:
        is_covered = self.balance() >= 1
        receipt = self.budget.spend(self.now_ns)
        assert (receipt is not None) == is_covered
        if receipt is not None:
            self.retries.append(Retry(self.bucket, receipt))

    @rule(choice=drawn.integers(0, 100))
    def refund(self, choice: int) -> None:
        if self.retries:
            retry = self.retries.pop(choice % len(self.retries))
            self.budget.refund(retry.receipt)

    @rule(step_ns=drawn.sampled_from([1, SECOND_NS // 3, SECOND_NS, 9 * SECOND_NS, 10 * SECOND_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(settings=settings)
    def edit(self, settings: BudgetParams) -> None:
        self.settings = settings
        self.budget.reconfigure(settings)

    @invariant()
    def as_many_retries_are_available_as_the_sums_say(self) -> None:
        assert self.budget.available(self.now_ns) == max(0, int(self.balance()))


test_the_budget_spends_what_the_sums_allow = shown(BudgetMachine, steps=20)
