"""Rate limits of every algorithm against naive models, one cell per limit and key, in unbounded memory."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.rate_limit import (
    Admitted,
    Ask,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Limited,
    LimitParams,
    Limits,
    Rate,
    SlidingLog,
    SlidingWindow,
    TokenBucket,
    WhenKeysFull,
    pushback_ms,
    retry_after_seconds,
)
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.chance import draws
from tests.support.examples import thousands
from tests.support.limit_models import HORIZON_NS, Cell, Clock, Flight, Windows, fresh, is_first
from tests.support.sequences import initialize, invariant, precondition, rule, shown

SHARED = -1
"""The cell without a key."""

REASONS = {
    TokenBucket: "ratelimit.token",
    LeakyBucket: "ratelimit.leaky_full",
    FixedWindow: "ratelimit.fixed",
    SlidingLog: "ratelimit.sliding_log",
    SlidingWindow: "ratelimit.sliding_window",
    Concurrency: "ratelimit.concurrency",
}


@dataclass
class Charged:
    """A charge that is out."""

    limit: int
    place: int
    cost: int
    serial: int
    generation: int


@dataclass
class Model:
    """One limit: the cells that were ever used, and the window they count in."""

    params: LimitParams
    clock: Clock
    windows: Windows = field(init=False)
    cells: dict[int, Cell] = field(default_factory=dict)
    evicted: set[int] = field(default_factory=set)
    generation: int = 0

    def __post_init__(self) -> None:
        self.windows = Windows.of(self.params.algorithm, self.clock)

    def in_use(self) -> set[int]:
        """Keys that are not as new."""
        return {
            place
            for place, cell in self.cells.items()
            if place != SHARED and not cell.is_fresh(self.clock.now_ns)
        }

    def place(self, key: int | None) -> int | WhenKeysFull:
        """Which cell answers, or what becomes of a key for which there is no room."""
        if key is None:
            return SHARED
        in_use = self.in_use()
        if key in in_use or len(in_use) < self.params.max_keys:
            return key
        return SHARED if self.params.when_keys_full == "ShareOne" else self.params.when_keys_full

    def cell(self, place: int) -> Cell:
        if place not in self.cells:
            self.cells[place] = fresh(self.params.algorithm, self.windows, self.evicted)
        return self.cells[place]

    def wait_ns(self, ask: Ask, left_ns: int | None) -> int | None:
        """How long the request is held; `None` when it is refused."""
        place = self.place(ask.key)
        if isinstance(place, str):
            return 0 if place == "Allow" else None
        return self.cell(place).wait_ns(wanted(ask), self.clock.now_ns, left_ns)

    def admits_at(self, ask: Ask, left_ns: int | None, at_ns: int) -> bool:
        """Whether the request would be admitted at another instant if nobody comes before."""
        place = self.place(ask.key)
        return not isinstance(place, str) and self.cell(place).admits(wanted(ask), at_ns, left_ns)

    def charge(self, ask: Ask, serial: int, *, exempt: bool) -> Charged | None:
        """The charge, as far as it can be taken back."""
        place, cost = self.place(ask.key), ask.cost or 0
        if isinstance(place, str):
            return None
        cell = self.cell(place)
        if not exempt:
            cell.charge(cost, serial, self.clock.now_ns)
        else:
            cell.charge_unchecked(cost, self.clock.now_ns)
        is_out = isinstance(cell, Flight) or not exempt
        return Charged(ask.limit, place, cost, serial, self.generation) if is_out else None

    def edit(self, params: LimitParams) -> None:
        is_other = type(params.algorithm) is not type(self.params.algorithm)
        if is_other:
            self.cells, self.evicted, self.generation = {}, set(), self.generation + 1
        windows = Windows.of(params.algorithm, self.clock)
        if not is_other and windows.calendar.length == self.windows.calendar.length:
            windows = self.windows
        for cell in self.cells.values():
            cell.edit(params.algorithm, self.clock.now_ns, windows)
        self.params, self.windows = params, windows


def wanted(ask: Ask) -> int:
    return 1 if ask.cost is None else ask.cost


rates = drawn.builds(
    Rate,
    requests=drawn.integers(1, 7),
    per_ns=drawn.sampled_from([SECOND_NS, 3 * SECOND_NS, 1_000_003]),
    members=drawn.sampled_from([1, 1, 3]),
)
algorithms = drawn.one_of(
    drawn.builds(TokenBucket, rate=rates, burst=drawn.one_of(drawn.none(), drawn.integers(1, 6))),
    drawn.builds(
        LeakyBucket,
        rate=rates,
        queue=drawn.integers(0, 3),
        max_wait_ns=drawn.sampled_from([0, SECOND_NS // 2, 4 * SECOND_NS]),
        evict=drawn.sampled_from(["Newest", "Oldest"]),
    ),
    drawn.builds(FixedWindow, rate=rates, aligned=drawn.booleans()),
    drawn.builds(SlidingLog, rate=rates),
    drawn.builds(SlidingWindow, rate=rates, buckets=drawn.integers(1, 3)),
    drawn.builds(Concurrency, limit=drawn.integers(1, 5), members=drawn.sampled_from([1, 1, 3])),
)
limits = drawn.builds(
    LimitParams,
    algorithm=algorithms,
    max_keys=drawn.integers(0, 3),
    when_keys_full=drawn.sampled_from(["ShareOne", "Refuse", "Allow"]),
    count_refused=drawn.booleans(),
)
keys = drawn.one_of(drawn.none(), drawn.integers(0, 4))
costs = drawn.one_of(drawn.none(), drawn.integers(0, 4))
numbers = drawn.integers(0, 100)
steps = drawn.sampled_from([0, 1, 1_000, SECOND_NS // 7, SECOND_NS // 3, SECOND_NS, 10 * SECOND_NS])


class LimitsMachine:
    """Requests that ask two limits at once."""

    @initialize(first=limits, second=limits)
    def start(self, first: LimitParams, second: LimitParams) -> None:
        self.clock = Clock()
        self.models = [Model(first, self.clock), Model(second, self.clock)]
        self.limits = Limits([first, second])
        self.admitted: list[tuple[Admitted, list[Charged]]] = []
        self.unanswered: list[tuple[Admitted, Ask, int]] = []
        self.last_keys: list[int | None] = [None, None]
        self.serial = 0
        self.pulse()

    @property
    def now(self) -> tuple[int, int]:
        return self.clock.now_ns, self.clock.unix_ns

    def pulse(self) -> None:
        """Both sides come to the present, forgetting keys that are as new."""
        for limit, model in enumerate(self.models):
            self.limits.forget_fresh(limit, *self.now)
            model.windows.go_on(self.clock)
            assert self.limits.keys(limit) == len(model.in_use())

    @rule(
        keys=drawn.tuples(keys, keys),
        costs=drawn.tuples(costs, costs),
        exempt=drawn.sampled_from([False, False, False, True]),
        left_ns=drawn.sampled_from([None, None, SECOND_NS // 3]),
    )
    def ask_both(
        self,
        keys: tuple[int | None, int | None],
        costs: tuple[int | None, int | None],
        exempt: bool,
        left_ns: int | None,
    ) -> None:
        asks = [Ask(limit=limit, key=keys[limit], cost=costs[limit]) for limit in (0, 1)]
        self.ask(asks, exempt=exempt, left_ns=left_ns)

    @rule(limit=drawn.integers(0, 1), key=keys, cost=drawn.integers(1, 3))
    def ask_one(self, limit: int, key: int | None, cost: int) -> None:
        self.ask([Ask(limit=limit, key=key, cost=cost)], exempt=False, left_ns=None)

    def ask(self, asks: list[Ask], *, exempt: bool, left_ns: int | None) -> None:
        for ask in asks:
            self.last_keys[ask.limit] = ask.key
        decision = self.limits.admit(asks, *self.now, left_ns=left_ns, exempt=exempt)
        waits = [self.models[ask.limit].wait_ns(ask, left_ns) for ask in asks]
        if exempt or None not in waits:
            assert isinstance(decision, Admitted)
            assert decision.wait_ns == (0 if exempt else max(wait for wait in waits if wait is not None))
            self.admit(decision, asks, exempt=exempt)
            return
        assert not isinstance(decision, Admitted)
        refusing = {ask.limit: ask for ask, wait in zip(asks, waits, strict=True) if wait is None}
        for ask in refusing.values():
            self.refuse(ask, left_ns)
        self.expect_longest(decision, refusing, left_ns)

    def refuse(self, ask: Ask, left_ns: int | None) -> None:
        """A limit that counts its refusals is charged for one, if it could ever admit the request."""
        model = self.models[ask.limit]
        if model.params.count_refused and model.admits_at(ask, left_ns, self.clock.now_ns + HORIZON_NS):
            model.charge(ask, -1, exempt=True)

    def expect_longest(self, refusal: Limited, refusing: dict[int, Ask], left_ns: int | None) -> None:
        """The time named is that of the limit named, and no other needs longer."""
        now_ns, time_ns = self.clock.now_ns, refusal.retry_after_ns
        named, ask = self.models[refusal.limit], refusing[refusal.limit]
        assert refusal.reason == REASONS[type(named.params.algorithm)]
        assert is_first(time_ns, now_ns, lambda at_ns: named.admits_at(ask, left_ns, at_ns))
        if time_ns is not None:
            others = [(self.models[limit], ask) for limit, ask in refusing.items()]
            assert all(model.admits_at(ask, left_ns, now_ns + time_ns) for model, ask in others)

    def admit(self, decision: Admitted, asks: list[Ask], *, exempt: bool) -> None:
        self.serial += 1
        charges = [self.models[ask.limit].charge(ask, self.serial, exempt=exempt) for ask in asks]
        self.admitted.append((decision, [charged for charged in charges if charged]))

    def open_charges(self, charges: list[Charged]) -> list[tuple[Model, Charged]]:
        """Those that went to counts that are still there."""
        models = [(self.models[charged.limit], charged) for charged in charges]
        return [(model, charged) for model, charged in models if charged.generation == model.generation]

    @precondition(lambda self: self.admitted)
    @rule(choice=numbers)
    def leave(self, choice: int) -> None:
        decision, charges = self.admitted.pop(choice % len(self.admitted))
        if any(self.would_be_fresh(model, charged) for model, charged in self.open_charges(charges)):
            return
        self.limits.refund(decision, *self.now)
        for model, charged in self.open_charges(charges):
            if charged.serial in model.evicted:
                model.evicted.remove(charged.serial)
            else:
                model.cell(charged.place).refund(charged.cost, charged.serial, self.clock.now_ns)

    def would_be_fresh(self, model: Model, charged: Charged) -> bool:
        """Whether a key would be as new at once, which tables notice only later."""
        cell = deepcopy(model.cell(charged.place))
        if charged.place == SHARED or isinstance(cell, Flight):
            return False
        was_fresh = cell.is_fresh(self.clock.now_ns)
        cell.refund(charged.cost, charged.serial, self.clock.now_ns)
        return cell.is_fresh(self.clock.now_ns) and not was_fresh

    @precondition(lambda self: self.admitted)
    @rule(choice=numbers)
    def end(self, choice: int) -> None:
        decision, charges = self.admitted[choice % len(self.admitted)]
        self.limits.release(decision, *self.now)
        for model, charged in self.open_charges(charges):
            cell = model.cell(charged.place)
            if isinstance(cell, Flight):
                cell.refund(charged.cost, charged.serial, self.clock.now_ns)
                charges.remove(charged)

    @precondition(lambda self: self.admitted)
    @rule(choice=numbers)
    def look_where_one_stands(self, choice: int) -> None:
        decision, charges = self.admitted[choice % len(self.admitted)]
        expected: list[int | str] = []
        for model, charged in self.open_charges(charges):
            if charged.serial in model.evicted:
                model.evicted.remove(charged.serial)
                charges.remove(charged)
                expected.append("evicted")
            else:
                leaves = model.cell(charged.place).leaves_at_ns(charged.serial, self.clock.now_ns)
                expected.append("free" if leaves is None else leaves)
        standing = self.limits.standing(decision, *self.now)
        assert [stand for stand in standing if stand != "free"] == [
            stand for stand in expected if stand != "free"
        ]

    @rule(limit=drawn.integers(0, 1), key=keys)
    def ask_at_a_cost_that_the_answer_tells(self, limit: int, key: int | None) -> None:
        model, ask = self.models[limit], Ask(limit=limit, key=key, cost=None)
        decision = self.limits.admit([ask], *self.now)
        if not isinstance(decision, Admitted):
            assert model.wait_ns(ask, None) is None
            return
        self.admit(decision, [ask], exempt=False)
        self.unanswered.append((decision, ask, model.generation))

    @precondition(lambda self: self.unanswered)
    @rule(choice=numbers, cost=drawn.integers(0, 9))
    def learn_the_cost_from_the_answer(self, choice: int, cost: int) -> None:
        """Counts that began anew meanwhile are not those that were asked."""
        decision, ask, generation = self.unanswered.pop(choice % len(self.unanswered))
        self.limits.charge_after(decision, cost, *self.now)
        model = self.models[ask.limit]
        place = model.place(ask.key)
        if generation == model.generation and not isinstance(place, str):
            model.cell(place).charge_after(cost, self.clock.now_ns)

    @rule(step_ns=steps)
    def wait(self, step_ns: int) -> None:
        self.clock.now_ns += step_ns

    @rule(ahead_ns=drawn.sampled_from([0, 1, SECOND_NS // 3, 777 * SECOND_NS + 5]))
    def set_the_wall_clock(self, ahead_ns: int) -> None:
        """While no key is in use: tables notice those that are as new for that reason only later."""
        self.pulse()
        if not any(model.in_use() for model in self.models):
            self.clock.ahead_ns = ahead_ns
        self.pulse()

    @rule(limit=drawn.integers(0, 1), edited=limits)
    def edit(self, limit: int, edited: LimitParams) -> None:
        self.pulse()
        model = self.models[limit]
        params = replace(edited, max_keys=model.params.max_keys)
        self.limits.reconfigure(limit, params, *self.now)
        model.edit(params)

    @invariant()
    def what_is_left_and_when_there_is_more_are_exact(self) -> None:
        for limit, model in enumerate(self.models):
            key = self.last_keys[limit]
            cell, now_ns = model.cell(SHARED if key is None else key), self.clock.now_ns
            view = self.limits.view(limit, *self.now, key=key)
            assert cell.has_left(view.remaining, now_ns)
            assert cell.is_full_after(view.full_after_ns, now_ns)
            assert cell.has_more_after(view.more_after_ns, view.remaining, now_ns)
            assert self.limits.keys(limit) <= model.params.max_keys


test_what_is_admitted_held_and_left_is_the_models = shown(LimitsMachine, steps=8, count=2)


@thousands()
@given(wait_ns=st.integers(0, 10**15), draw=draws)
def test_retry_after_is_late_enough_and_at_most_a_tenth_later(wait_ns: int, draw: int) -> None:
    for rounded, unit_ns in (
        (retry_after_seconds(wait_ns, draw), SECOND_NS),
        (pushback_ms(wait_ns, draw), 1_000_000),
    ):
        least = max(1, ceil(Fraction(wait_ns, unit_ns)))
        assert least <= rounded <= least * Fraction(11, 10)
