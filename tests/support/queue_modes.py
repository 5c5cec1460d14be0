"""What becomes of requests that come steadily to a bounded queue, one mark for each."""

from typing import Final

from sidecar.machines.backpressure import Arrival, Backpressure, BackpressureParams, Held, QueueParams
from sidecar.machines.bulkhead import Ticket

TICK_NS: Final = 50_000_000
ARRIVES: Final = 2  # a request every so many ticks
TAKES: Final = 5  # so many ticks for each
ARRIVALS: Final = 20


def fates(queue: QueueParams) -> str:
    """Who runs (`#`), waits (`w`) or is held (`h`) and runs, waits in vain (`x`), is refused (`.`)."""
    line = _Line(queue)
    for tick in range(ARRIVES * ARRIVALS + TAKES * ARRIVALS):
        line.pass_time(tick)
        if tick % ARRIVES == 0 and tick < ARRIVES * ARRIVALS:
            line.arrive(tick)
        line.hear(tick)
    return "".join(line.marks)


class _Line:
    """A queue in front of an application that takes one at a time, and who is in it."""

    def __init__(self, queue: QueueParams) -> None:
        self.front = Backpressure(BackpressureParams(concurrency=1, queue=queue))
        self.marks: list[str] = []
        self.places: dict[Ticket, int] = {}
        self.gives_up: dict[int, list[Ticket]] = {}
        self.ends = 0

    def pass_time(self, tick: int) -> None:
        """Whoever runs ends, and who was held for long enough gives up."""
        if self.front.in_flight and tick == self.ends:
            self.front.finish(tick * TICK_NS)
        for ticket in self.gives_up.pop(tick, ()):
            if self.front.expire(ticket):
                self.marks[self.places[ticket]] = "x"

    def arrive(self, tick: int) -> None:
        match self.front.arrive(Arrival(), tick * TICK_NS):
            case "runs":
                self.ends = tick + TAKES
                self.marks.append("#")
            case str():
                self.marks.append(".")
            case Held() as held:
                self.gives_up.setdefault(tick + held.for_ns // TICK_NS, []).append(held.ticket)
                self.join(held.ticket, "h")
            case ticket:
                self.join(ticket, "w")

    def join(self, ticket: Ticket, mark: str) -> None:
        self.places[ticket] = len(self.marks)
        self.marks.append(mark)

    def hear(self, tick: int) -> None:
        """Who was called runs; who was turned away waited in vain."""
        for ticket, what in self.front.take_events():
            if what == "runs":
                self.ends = tick + TAKES
            elif what != "waits":
                self.marks[self.places[ticket]] = "x"
