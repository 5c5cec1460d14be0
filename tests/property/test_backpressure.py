"""What stands in front of an application, against plain lists that are searched from the start each time."""

from sidecar.machines.backpressure import (
    Arrival,
    Backpressure,
    BackpressureParams,
    Block,
    Buffer,
    Codel,
    EarlyDetection,
    Held,
    QueueParams,
    Throttle,
)
from sidecar.machines.bulkhead import Ticket
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.backpressure_model import CLASSES, Model, Waiter
from tests.support.sequences import initialize, invariant, precondition, rule, shown

MS = 1_000_000

modes = drawn.one_of(
    drawn.sampled_from(["DropNewest", "DropOldest"]),
    drawn.just(Block()),
    drawn.builds(Buffer, max_capacity=drawn.integers(2, 9), max_bytes=drawn.sampled_from([50, 10_000])),
    drawn.builds(Throttle, throttle_from=drawn.sampled_from([25, 50, 66.6, 100])),
)
queues = drawn.builds(
    QueueParams,
    capacity=drawn.integers(1, 5),
    mode=modes,
    codel=drawn.one_of(drawn.none(), drawn.builds(Codel, newest_first=drawn.booleans())),
)
settings = drawn.builds(
    BackpressureParams,
    concurrency=drawn.integers(1, 2),
    queue=queues,
    early_detection=drawn.one_of(drawn.none(), drawn.just(EarlyDetection())),
)
arrivals = drawn.builds(
    Arrival,
    criticality=drawn.sampled_from(CLASSES),
    flow=drawn.sampled_from([0, 0, 1, 2]),
    bytes=drawn.sampled_from([0, 10, 30]),
    holds_permit=drawn.booleans(),
)
steps = drawn.sampled_from([0, 1, MS, 7 * MS, 60 * MS, 400 * MS, 3 * SECOND_NS, 61 * SECOND_NS])
choices = drawn.integers(0, 100)


class BackpressureMachine:
    """Arrivals, departures and those who leave while they wait."""

    @initialize(settings=settings)
    def start(self, settings: BackpressureParams) -> None:
        self.model = Model(settings, now_ns=100 * SECOND_NS)
        self.front = Backpressure(settings)
        self.told: list[Ticket] = []

    @rule(arrival=arrivals, left_ns=drawn.sampled_from([None, None, 0, 5 * MS, SECOND_NS]))
    def arrive(self, arrival: Arrival, left_ns: int | None) -> None:
        model = self.model
        deadline_ns = None if left_ns is None else model.now_ns + left_ns
        arrival = Arrival(
            criticality=arrival.criticality,
            flow=arrival.flow,
            bytes=arrival.bytes,
            holds_permit=arrival.holds_permit,
            deadline_ns=deadline_ns,
        )
        expected = model.expect(arrival)
        fate = self.front.arrive(arrival, model.now_ns)
        if expected == "waits":
            assert isinstance(fate, Ticket)
            model.join(arrival, fate)
        elif expected == "held":
            assert isinstance(fate, Held)
            assert fate.for_ns == SECOND_NS
            model.held.append(Waiter(arrival, model.now_ns, fate.ticket))
        else:
            assert fate == expected
        if expected != "runs":
            model.look()

    @rule(arrivals=drawn.lists(arrivals, min_size=2, max_size=8))
    def arrive_together(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self.arrive(arrival, None)

    @precondition(lambda self: self.model.running)
    @rule(latency_ns=drawn.sampled_from([None, MS, 10 * MS]), count=drawn.integers(1, 4), step_ns=steps)
    def depart(self, latency_ns: int | None, count: int, step_ns: int) -> None:
        for _ in range(min(count, self.model.running)):
            self.model.running -= 1
            if latency_ns is not None:
                self.model.recent.record(latency_ns, self.model.now_ns)
            self.model.go_on()
            self.front.finish(self.model.now_ns, latency_ns)
            self.wait(step_ns)

    @precondition(lambda self: self.model.waiting or self.model.held)
    @rule(choice=choices)
    def leave(self, choice: int) -> None:
        here = [*self.model.waiting, *self.model.held]
        waiter = here[choice % len(here)]
        self.model.look()
        self.model.dequeue(waiter)
        self.model.go_on()
        self.front.abandon(waiter.ticket, self.model.now_ns)

    @precondition(lambda self: self.told and self.model.running)
    @rule(choice=choices)
    def leave_after_being_called(self, choice: int) -> None:
        ticket = self.told.pop(choice % len(self.told))
        self.model.look()
        self.model.running -= 1
        self.model.go_on()
        self.front.abandon(ticket, self.model.now_ns)

    @precondition(lambda self: self.model.waiting or self.model.held)
    @rule(choice=choices)
    def be_held_for_too_long(self, choice: int) -> None:
        here = [*self.model.waiting, *self.model.held]
        waiter = here[choice % len(here)]
        is_held = waiter in self.model.held
        assert self.front.expire(waiter.ticket) == is_held
        if is_held:
            self.model.held.remove(waiter)

    @rule(step_ns=steps)
    def wait(self, step_ns: int) -> None:
        self.model.now_ns += step_ns

    @invariant()
    def what_happened_and_what_is_left_is_the_models(self) -> None:
        model = self.model
        events = self.front.take_events()
        assert events == model.events
        self.told += [ticket for ticket, what in events if what == "runs"]
        model.events = []
        assert self.front.in_flight == model.running
        assert (self.front.depth, self.front.held) == (len(model.waiting), len(model.held))
        assert self.front.capacity == model.capacity
        assert self.front.slope(model.now_ns)[0] == model.slope()[0]


test_who_runs_waits_or_is_dropped_is_the_models = shown(BackpressureMachine, steps=12)
