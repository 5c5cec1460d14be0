"""Token buckets against levels in exact fractions, one per limit and key, in unbounded memory."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sidecar.machines import (
    SECOND_NS,
    Ask,
    LimitParams,
    Limits,
    WhenKeysFull,
    pushback_ms,
    retry_after_seconds,
)
from tests.support.chance import draws

SHARED = -1
"""The bucket without a key."""

Shortage = int | None
"""How long tokens are missing; `None` for ever."""


@dataclass
class Model:
    """One limit: the level of every bucket that is not full, as of `now_ns`."""

    params: LimitParams
    now_ns: int = 0
    levels: dict[int, Fraction] = field(default_factory=dict)

    @property
    def rate(self) -> Fraction:
        return Fraction(self.params.requests, self.params.per_ns)

    @property
    def capacity(self) -> Fraction:
        if self.params.burst is not None:
            return Fraction(self.params.burst)
        return max(Fraction(1), self.rate * SECOND_NS)

    def level(self, key: int) -> Fraction:
        return self.levels.get(key, self.capacity)

    def set_level(self, key: int, level: Fraction) -> None:
        self.levels[key] = max(level, Fraction(0))
        self._forget_full()

    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns
        self.levels = {key: level + self.rate * step_ns for key, level in self.levels.items()}
        self._forget_full()

    def _forget_full(self) -> None:
        self.levels = {key: level for key, level in self.levels.items() if level < self.capacity}

    def bucket(self, key: int | None) -> int | WhenKeysFull:
        """The key whose bucket answers, or what becomes of a key for which there is no room."""
        if key is None:
            return SHARED
        others = [other for other in self.levels if other not in {SHARED, key}]
        if key in self.levels or len(others) < self.params.max_keys:
            return key
        return SHARED if self.params.when_keys_full == "ShareOne" else self.params.when_keys_full

    def shortage(self, ask: Ask) -> Shortage:
        """Zero when there are enough tokens."""
        bucket = self.bucket(ask.key)
        if not isinstance(bucket, int):
            return 0 if bucket == "Allow" else None
        if ask.cost > self.capacity:
            return None
        return max(0, ceil((ask.cost - self.level(bucket)) / self.rate))

    def charge(self, ask: Ask) -> None:
        bucket = self.bucket(ask.key)
        if isinstance(bucket, int):
            self.set_level(bucket, self.level(bucket) - ask.cost)

    def edit(self, params: LimitParams) -> None:
        """What was used stays used, rounded up to what the new bucket can tell apart."""
        capacity, levels = self.capacity, self.levels
        self.params, self.levels = params, {}
        for key, level in levels.items():
            used = Fraction(ceil((capacity - level) * params.per_ns), params.per_ns)
            self.set_level(key, self.capacity - used)


limits = st.builds(
    LimitParams,
    requests=st.integers(1, 7),
    per_ns=st.sampled_from([SECOND_NS, 3 * SECOND_NS, 1_000_003]),
    burst=st.one_of(st.none(), st.integers(1, 6)),
    max_keys=st.integers(0, 3),
    when_keys_full=st.sampled_from(["ShareOne", "Refuse", "Allow"]),
    count_refused=st.booleans(),
)
keys = st.one_of(st.none(), st.integers(0, 5))
costs = st.integers(1, 4)


class LimitsMachine(RuleBasedStateMachine):
    """Requests that ask two limits at once."""

    @initialize(first=limits, second=limits)
    def start(self, first: LimitParams, second: LimitParams) -> None:
        self.models = [Model(first), Model(second)]
        self.limits = Limits([first, second])
        self.now_ns = 0

    @rule(first_key=keys, second_key=keys, first_cost=costs, second_cost=costs, exempt=st.booleans())
    def ask_both(
        self, first_key: int | None, second_key: int | None, first_cost: int, second_cost: int, exempt: bool
    ) -> None:
        first = Ask(limit=0, key=first_key, cost=first_cost)
        second = Ask(limit=1, key=second_key, cost=second_cost)
        self.admit([first, second], exempt=exempt)

    @rule(limit=st.integers(0, 1), key=keys, cost=costs)
    def ask_one(self, limit: int, key: int | None, cost: int) -> None:
        self.admit([Ask(limit=limit, key=key, cost=cost)], exempt=False)

    def admit(self, asks: list[Ask], *, exempt: bool) -> None:
        refusal = self.limits.admit(asks, self.now_ns, exempt=exempt)
        refusing = [ask for ask in asks if self.models[ask.limit].shortage(ask) != 0]
        if exempt or not refusing:
            assert refusal is None
            for ask in asks:
                self.models[ask.limit].charge(ask)
            return
        assert refusal is not None
        waits = {ask.limit: self.refuse(ask) for ask in refusing}
        assert refusal.retry_after_ns == longest(list(waits.values()))
        assert waits[refusal.limit] == refusal.retry_after_ns

    def refuse(self, ask: Ask) -> Shortage:
        """The wait after a limit refused, charged for that if it counts refusals."""
        model = self.models[ask.limit]
        if model.params.count_refused and model.shortage(ask) is not None:
            model.charge(ask)
        return model.shortage(ask)

    @rule(step_ns=st.sampled_from([0, 1, 1_000, SECOND_NS // 7, SECOND_NS // 3, SECOND_NS, 10 * SECOND_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns
        for model in self.models:
            model.wait(step_ns)

    @rule(limit=st.integers(0, 1), edited=limits)
    def edit_the_rate(self, limit: int, edited: LimitParams) -> None:
        params = replace(edited, max_keys=self.models[limit].params.max_keys)
        self.models[limit].edit(params)
        self.limits.reconfigure(limit, params, self.now_ns)

    @rule(limit=st.integers(0, 1))
    def forget(self, limit: int) -> None:
        self.limits.forget_full(limit, self.now_ns)
        assert self.limits.keys(limit) == len(set(self.models[limit].levels) - {SHARED})

    @invariant()
    def what_is_left_and_when_there_is_more_are_exact(self) -> None:
        for limit, model in enumerate(self.models):
            for key in (None, *range(6)):
                level = model.level(SHARED if key is None else key)
                view = self.limits.view(limit, self.now_ns, key)
                assert (view.capacity, view.remaining) == (int(model.capacity), int(level))
                next_level = min(Fraction(int(level) + 1), model.capacity)
                assert view.next_token_ns == ceil((next_level - level) / model.rate)
                assert view.refill_ns == ceil((model.capacity - level) / model.rate)

    @invariant()
    def keys_are_bounded(self) -> None:
        for limit, model in enumerate(self.models):
            assert self.limits.keys(limit) <= model.params.max_keys


def longest(waits: list[Shortage]) -> Shortage:
    return None if None in waits else max(wait for wait in waits if wait is not None)


TestLimits = LimitsMachine.TestCase


@given(wait_ns=st.integers(0, 10**15), draw=draws)
def test_retry_after_is_late_enough_and_at_most_a_tenth_later(wait_ns: int, draw: int) -> None:
    for rounded, unit_ns in (
        (retry_after_seconds(wait_ns, draw), SECOND_NS),
        (pushback_ms(wait_ns, draw), 1_000_000),
    ):
        least = max(1, ceil(Fraction(wait_ns, unit_ns)))
        assert least <= rounded <= least * Fraction(11, 10)
