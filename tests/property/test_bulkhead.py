"""The bulkhead against a counter and a plain list."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sidecar.machines import Bulkhead, BulkheadParams, Ticket

settings = st.builds(
    BulkheadParams, max_concurrent=st.integers(1, 3), max_queue=st.one_of(st.none(), st.integers(0, 4))
)


class BulkheadMachine(RuleBasedStateMachine):
    """Arrivals, departures and disconnects; every permit and every place is accounted for."""

    @initialize(settings=settings)
    def start(self, settings: BulkheadParams) -> None:
        self.settings = settings
        self.bulkhead = Bulkhead(settings)
        self.in_flight = 0
        self.waiting: list[Ticket] = []
        self.told: list[Ticket] = []

    def expect_next(self, named: Ticket | None) -> None:
        """The one who waited longest gets a free permit, if there are both."""
        is_free = self.in_flight < self.settings.max_concurrent
        expected = self.waiting.pop(0) if is_free and self.waiting else None
        assert named == expected
        if named is not None:
            self.in_flight += 1
            self.told.append(named)

    @rule()
    def arrive(self) -> None:
        capacity = self.settings.max_queue
        places = self.settings.max_concurrent if capacity is None else capacity
        entry = self.bulkhead.acquire()
        if self.in_flight < self.settings.max_concurrent and not self.waiting:
            assert entry == "acquired"
            self.in_flight += 1
        elif len(self.waiting) < places:
            assert isinstance(entry, Ticket)
            assert entry not in self.waiting + self.told
            self.waiting.append(entry)
        else:
            assert entry == "full"

    @precondition(lambda self: self.in_flight)
    @rule()
    def depart(self) -> None:
        self.in_flight -= 1
        self.expect_next(self.bulkhead.release())

    @precondition(lambda self: self.waiting)
    @rule(choice=st.integers(0, 100))
    def disconnect_while_waiting(self, choice: int) -> None:
        ticket = self.waiting.pop(choice % len(self.waiting))
        assert self.bulkhead.abandon(ticket) is None

    @precondition(lambda self: self.told and self.in_flight)
    @rule(choice=st.integers(0, 100))
    def disconnect_after_being_named(self, choice: int) -> None:
        ticket = self.told.pop(choice % len(self.told))
        self.in_flight -= 1
        self.expect_next(self.bulkhead.abandon(ticket))

    @rule(settings=settings)
    def edit(self, settings: BulkheadParams) -> None:
        self.settings = settings
        self.bulkhead.reconfigure(settings)

    @rule()
    def admit_next(self) -> None:
        self.expect_next(self.bulkhead.admit_next())

    @invariant()
    def permits_and_places_add_up(self) -> None:
        assert self.bulkhead.in_flight == self.in_flight
        assert self.bulkhead.waiting == len(self.waiting)


TestBulkhead = BulkheadMachine.TestCase
