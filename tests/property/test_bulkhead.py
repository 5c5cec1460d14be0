"""The bulkhead against counters and plain lists, and instance groups against sums."""

from fractions import Fraction
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.balancer import GroupWatch, reach
from sidecar.machines.bulkhead import Bulkhead, BulkheadParams, Criticality, Lanes, Ticket
from tests.support import drawn
from tests.support.examples import thousands
from tests.support.sequences import initialize, invariant, precondition, rule, shown

CLASSES: tuple[Criticality, ...] = ("critical", "default", "sheddable", "background")

percents = drawn.sampled_from([0, 0, 10, 33.3, 50])
lanes = drawn.builds(Lanes, critical=percents, default=percents, sheddable=percents, background=percents)
settings = drawn.builds(
    BulkheadParams,
    max_concurrent=drawn.integers(1, 3),
    max_queue=drawn.one_of(drawn.none(), drawn.integers(0, 5)),
    lanes=lanes,
)
choices = drawn.integers(0, 100)

Waiter = tuple[Criticality, int, Ticket]
"""Class, flow and ticket; in the order of arrival."""


class BulkheadMachine:
    """Arrivals, departures and disconnects; every permit and every place is accounted for."""

    @initialize(settings=settings)
    def start(self, settings: BulkheadParams) -> None:
        self.settings = settings
        self.bulkhead = Bulkhead(settings)
        self.running: list[Criticality] = []
        self.waiting: list[Waiter] = []
        self.rounds: dict[Criticality, list[int]] = {criticality: [] for criticality in CLASSES}
        self.told: list[Waiter] = []

    def lane(self, criticality: Criticality) -> Fraction:
        share = Fraction(str(getattr(self.settings.lanes, criticality))) / 100
        return share * self.settings.max_concurrent

    def turn_of(self, criticality: Criticality) -> Waiter | None:
        """The oldest of the flow whose turn it is."""
        flows = [flow for _, flow, _ in self.of(criticality)]
        turns = [flow for flow in self.rounds[criticality] if flow in flows]
        return (
            next((waiter for waiter in self.of(criticality) if waiter[1] == turns[0]), None)
            if turns
            else None
        )

    def of(self, criticality: Criticality) -> list[Waiter]:
        return [waiter for waiter in self.waiting if waiter[0] == criticality]

    def next_waiter(self) -> Waiter | None:
        turns = [turn for turn in map(self.turn_of, CLASSES) if turn is not None]
        owed = [turn for turn in turns if self.running.count(turn[0]) < self.lane(turn[0])]
        return next(iter(owed or sorted(turns, key=self.waiting.index)), None)

    def expect_next(self, named: Ticket | None) -> None:
        """Whose turn it is gets a free permit, if there are both."""
        is_free = len(self.running) < self.settings.max_concurrent
        waiter = self.next_waiter() if is_free else None
        assert named == (None if waiter is None else waiter[2])
        if waiter is not None:
            criticality, flow, _ = waiter
            self.leave(waiter)
            self.told.append(waiter)
            self.running.append(criticality)
            if flow in self.rounds[criticality]:
                self.rounds[criticality].remove(flow)
                self.rounds[criticality].append(flow)

    def leave(self, waiter: Waiter) -> None:
        """Takes somebody out of the line; a flow without waiters loses its turn."""
        self.waiting.remove(waiter)
        criticality, flow, _ = waiter
        if not any(other[1] == flow for other in self.of(criticality)):
            self.rounds[criticality].remove(flow)

    @rule(criticality=drawn.sampled_from(CLASSES), flow=drawn.integers(0, 2))
    def arrive(self, criticality: Criticality, flow: int) -> None:
        capacity = self.settings.max_queue
        places = self.settings.max_concurrent if capacity is None else capacity
        entry = self.bulkhead.acquire(criticality, flow)
        if len(self.running) < self.settings.max_concurrent and not self.waiting:
            assert entry == "acquired"
            self.running.append(criticality)
        elif len(self.waiting) < places:
            assert isinstance(entry, Ticket)
            self.waiting.append((criticality, flow, entry))
            if flow not in self.rounds[criticality]:
                self.rounds[criticality].append(flow)
        else:
            assert entry == "full"

    @precondition(lambda self: self.running)
    @rule(choice=choices)
    def depart(self, choice: int) -> None:
        criticality = self.running.pop(choice % len(self.running))
        self.expect_next(self.bulkhead.release(criticality))

    @precondition(lambda self: self.waiting)
    @rule(choice=choices)
    def disconnect_while_waiting(self, choice: int) -> None:
        waiter = self.waiting[choice % len(self.waiting)]
        self.leave(waiter)
        assert self.bulkhead.abandon(waiter[2], waiter[0]) is None

    @precondition(lambda self: any(waiter[0] in self.running for waiter in self.told))
    @rule(choice=choices)
    def disconnect_after_being_named(self, choice: int) -> None:
        running = [waiter for waiter in self.told if waiter[0] in self.running]
        waiter = running[choice % len(running)]
        self.told.remove(waiter)
        self.running.remove(waiter[0])
        self.expect_next(self.bulkhead.abandon(waiter[2], waiter[0]))

    @rule(settings=settings)
    def edit(self, settings: BulkheadParams) -> None:
        self.settings = settings
        self.bulkhead.reconfigure(settings)

    @rule()
    def admit_next(self) -> None:
        self.expect_next(self.bulkhead.admit_next())

    @invariant()
    def permits_and_places_add_up(self) -> None:
        assert self.bulkhead.in_flight == len(self.running)
        assert self.bulkhead.waiting == len(self.waiting)
        for criticality in CLASSES:
            assert self.bulkhead.running(criticality) == self.running.count(criticality)


test_every_permit_and_place_is_accounted_for = shown(BulkheadMachine, steps=14)

sizes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=5)


@thousands()
@given(sizes=sizes, choice=st.integers(0, 100), below=st.sampled_from([0, 1, 20, 33.3, 100]))
def test_a_group_reaches_as_far_as_it_has_to_and_no_further(
    sizes: list[tuple[int, int]], choice: int, below: float
) -> None:
    sizes = [(ready, ready + idle) for ready, idle in sizes]
    group = choice % len(sizes)
    later = sizes[group:]
    ready = list(accumulate(size[0] for size in later))
    total = list(accumulate(size[1] for size in later))
    share = Fraction(str(below)) / 100
    enough = {
        "Never": [True] * len(later),
        "WhenEmpty": [count > 0 for count in ready],
        below: [whole > 0 and part >= share * whole for part, whole in zip(ready, total, strict=True)],
    }
    for overflow, is_enough in enough.items():
        last = group + (is_enough.index(True) if True in is_enough else len(later) - 1)
        assert reach(sizes, group, overflow) == (group, last)  # type: ignore[arg-type]  # a mixed key


@thousands()
@given(ready=st.lists(st.integers(0, 2)))
def test_emptying_and_refilling_alternate(ready: list[int]) -> None:
    watch, is_empty = GroupWatch(), False
    for count in ready:
        told = watch.observe(count, 5)
        assert told == (None if (count == 0) == is_empty else "emptied" if count == 0 else "refilled")
        is_empty = count == 0
