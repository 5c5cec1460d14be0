"""What stands in front of an application, told naively: plain lists, searched from the start each time."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from math import isqrt

from sidecar.machines.backpressure import Arrival, BackpressureParams, Block, Buffer, Codel, Throttle
from sidecar.machines.bulkhead import Criticality, Ticket
from sidecar.machines.latency import RecentLatency
from sidecar.machines.units import SECOND_NS

CLASSES: tuple[Criticality, ...] = ("critical", "default", "sheddable", "background")
LOOK_NS = SECOND_NS // 2
TENTH_NS = SECOND_NS // 10
NUMBERS = count()


@dataclass(eq=False)
class Waiter:
    """Somebody who waits, or is held."""

    arrival: Arrival
    since_ns: int
    ticket: Ticket
    number: int = field(default_factory=NUMBERS.__next__)

    @property
    def criticality(self) -> Criticality:
        return self.arrival.criticality


@dataclass
class Control:
    """The state of CoDel for one class, by the names of RFC 8289."""

    params: Codel
    first_above_ns: int = 0
    drop_next_ns: int = 0
    count: int = 0
    last_count: int = 0
    dropping: bool = False

    def later(self, from_ns: int) -> int:
        return from_ns + isqrt(self.params.interval_ns**2 // self.count)

    def is_ok_to_drop(self, waiter: Waiter, waiting: int, now_ns: int) -> bool:
        if now_ns - waiter.since_ns < self.params.target_ns or waiting == 1:
            self.first_above_ns = 0
        elif self.first_above_ns == 0:
            self.first_above_ns = now_ns + self.params.interval_ns
        else:
            return now_ns >= self.first_above_ns
        return False


@dataclass
class Model:
    """The rules, told naively."""

    params: BackpressureParams
    now_ns: int
    running: int = 0
    waiting: list[Waiter] = field(default_factory=list)
    held: list[Waiter] = field(default_factory=list)
    rounds: dict[Criticality, list[int]] = field(default_factory=lambda: {name: [] for name in CLASSES})
    controls: dict[Criticality, Control] = field(default_factory=dict)
    events: list[tuple[Ticket, str]] = field(default_factory=list)
    recent: RecentLatency = field(default_factory=RecentLatency)
    capacity: int = 0
    low_since_ns: int | None = None
    depths: list[tuple[int, int]] = field(default_factory=list)
    drained: list[int] = field(default_factory=list)
    credit: int = SECOND_NS
    looked_ns: int = 0

    def __post_init__(self) -> None:
        assert self.params.queue is not None
        self.queue = self.params.queue
        self.capacity = self.queue.capacity
        if self.queue.codel is not None:
            self.controls = {name: Control(self.queue.codel) for name in CLASSES}

    @property
    def limit(self) -> int:
        assert isinstance(self.params.concurrency, int)
        return self.params.concurrency

    def of(self, criticality: Criticality) -> list[Waiter]:
        return [waiter for waiter in self.waiting if waiter.criticality == criticality]

    def flow(self, criticality: Criticality, flow: int) -> list[Waiter]:
        return [waiter for waiter in self.of(criticality) if waiter.arrival.flow == flow]

    # What the queue holds.

    def look(self) -> None:
        """Before and after anything changes: how long the queue is, and whether a buffer shrinks."""
        self.depths.append((self.now_ns, len(self.waiting)))
        while self.queue.capacity < self.capacity and len(self.waiting) * 4 < self.capacity:
            if self.low_since_ns is None:
                self.low_since_ns = self.now_ns
            if self.now_ns - self.low_since_ns < 60 * SECOND_NS:
                return
            self.capacity = max(self.queue.capacity, self.capacity // 2)
            self.low_since_ns += 60 * SECOND_NS
        self.low_since_ns = None

    @property
    def most(self) -> int:
        mode = self.queue.mode
        return (
            max(mode.max_capacity, self.queue.capacity) if isinstance(mode, Buffer) else self.queue.capacity
        )

    def fits(self, arrival: Arrival, leaving: Waiter | None = None) -> bool:
        others = [waiter for waiter in self.waiting if waiter is not leaving]
        return len(others) < self.capacity and self.has_bytes(others, arrival)

    def has_bytes(self, others: list[Waiter], arrival: Arrival) -> bool:
        total = sum(waiter.arrival.bytes for waiter in others) + arrival.bytes
        return not isinstance(self.queue.mode, Buffer) or total <= self.queue.mode.max_bytes

    def enqueue(self, waiter: Waiter) -> None:
        if waiter.arrival.flow not in self.rounds[waiter.criticality]:
            self.rounds[waiter.criticality].append(waiter.arrival.flow)
        self.waiting.append(waiter)

    def dequeue(self, waiter: Waiter) -> None:
        if waiter in self.held:
            self.held.remove(waiter)
            return
        self.waiting.remove(waiter)
        if not self.flow(waiter.criticality, waiter.arrival.flow):
            self.rounds[waiter.criticality].remove(waiter.arrival.flow)

    def refuse(self, waiter: Waiter, reason: str) -> None:
        self.dequeue(waiter)
        self.events.append((waiter.ticket, reason))

    def let_in(self) -> None:
        """Who is held goes in while there is room: the most important first, then the one held longest."""
        while self.held and len(self.waiting) < self.capacity:
            waiter = min(self.held, key=lambda waiter: CLASSES.index(waiter.criticality))
            self.held.remove(waiter)
            self.enqueue(waiter)

    # What becomes of an arrival.

    def expect(self, arrival: Arrival) -> str:
        """Refuses those who make room; returns `runs`, `waits`, `held`, or why the arrival is refused."""
        if self.running < self.limit and not self.waiting:
            self.running += 1
            return "runs"
        self.look()
        if self.is_shed_early(arrival.criticality):
            return "shed.class"
        mode = self.queue.mode
        if self.has_room(arrival) or self.make_room(arrival):
            return "waits"
        if isinstance(mode, Block):
            if arrival.holds_permit:
                return "queue.blocked"
            return "held" if len(self.held) < self.capacity else "queue.full"
        return "queue.throttled" if isinstance(mode, Throttle) else "queue.full"

    def is_shed_early(self, criticality: Criticality) -> bool:
        early = self.params.early_detection
        if early is None or criticality not in {"sheddable", "background"}:
            return False
        grown, in_ns = self.slope()
        if grown <= 0:
            return False
        below = {
            "sheddable": early.shed_sheddable_below_ns,
            "background": early.shed_background_below_ns,
        }
        places = max(0, self.most - len(self.waiting))
        return places * in_ns // grown < below[criticality]

    def slope(self) -> tuple[int, int]:
        """Against the depth at the half second five seconds ago."""
        oldest = self.now_ns // LOOK_NS - 10
        before = [depth for at_ns, depth in self.depths if at_ns // LOOK_NS < oldest]
        at_ns = oldest * LOOK_NS
        return len(self.waiting) - (before[-1] if before else 0), self.now_ns - at_ns

    def has_room(self, arrival: Arrival) -> bool:
        mode = self.queue.mode
        if not isinstance(mode, Throttle):
            return self.fits(arrival)
        depth, start = len(self.waiting), Fraction(str(mode.throttle_from)) / 100
        if self.capacity == 0 or depth < start * self.capacity:
            self.credit, self.looked_ns = SECOND_NS, self.now_ns
            return self.capacity > 0 or depth < self.capacity
        begun_ns = max(0, self.now_ns // TENTH_NS - 9) * TENTH_NS
        drained = sum(at_ns >= begun_ns for at_ns in self.drained)
        free = Fraction(max(0, self.capacity - depth), 1) / (
            self.capacity * max(1 - start, Fraction(1, 10**30))
        )
        rate = Fraction(drained, max(1, self.now_ns - begun_ns))
        time_ns = min(SECOND_NS, self.now_ns - self.looked_ns)
        self.credit = min(SECOND_NS, self.credit + int(rate * free * time_ns * SECOND_NS))
        self.looked_ns = self.now_ns
        if depth >= self.capacity or self.credit < SECOND_NS:
            return False
        self.credit -= SECOND_NS
        return True

    def make_room(self, arrival: Arrival) -> bool:
        self.drop_hopeless()
        self.let_in()
        if not isinstance(self.queue.mode, Throttle) and self.fits(arrival):
            return True
        is_full = len(self.waiting) >= self.capacity
        if isinstance(self.queue.mode, Buffer) and is_full and self.has_bytes(self.waiting, arrival):
            self.capacity = max(self.capacity, min(self.most, max(1, 2 * self.capacity)))
            if self.fits(arrival):
                return True
        gives_way = self.who_gives_way(arrival)
        if gives_way is None or not self.fits(arrival, gives_way[0]):
            return False
        self.refuse(*gives_way)
        return True

    def who_gives_way(self, arrival: Arrival) -> tuple[Waiter, str] | None:
        rank = CLASSES.index(arrival.criticality)
        for criticality in reversed(CLASSES[rank + 1 :]):
            if self.of(criticality):
                return self.of(criticality)[-1], "shed.class"
        lengths = {
            flow: len(self.flow(arrival.criticality, flow)) for flow in self.rounds[arrival.criticality]
        }
        longest = max(reversed(lengths), key=lambda flow: lengths[flow], default=None)
        if longest is not None and lengths[longest] > lengths.get(arrival.flow, 0) + 1:
            return self.flow(arrival.criticality, longest)[-1], "shed.fairness"
        if self.queue.mode == "DropOldest" and self.of(arrival.criticality):
            return self.of(arrival.criticality)[0], "queue.evicted"
        return None

    def join(self, arrival: Arrival, ticket: Ticket) -> None:
        if not self.of(arrival.criticality) and self.controls:
            self.controls[arrival.criticality].first_above_ns = 0
        self.enqueue(Waiter(arrival, self.now_ns, ticket))

    # Who is next.

    def drop_hopeless(self) -> None:
        takes_ns = self.recent.p50_ns(self.now_ns) or 0
        hopeless = [
            waiter
            for waiter in [*self.waiting, *self.held]
            if waiter.arrival.deadline_ns is not None and waiter.arrival.deadline_ns < self.now_ns + takes_ns
        ]
        for waiter in sorted(hopeless, key=lambda waiter: (waiter.arrival.deadline_ns or 0, waiter.number)):
            self.refuse(waiter, "deadline.exhausted")

    def go_on(self) -> None:
        self.look()
        while self.running < self.limit and self.waiting:
            self.drop_hopeless()
            if self.waiting:
                self.call(next(name for name in CLASSES if self.of(name)))
            self.let_in()
        self.let_in()
        self.look()

    def call(self, criticality: Criticality) -> None:
        control = self.controls.get(criticality)
        if control is not None:
            self.control(control, criticality)
        waiter = self.turn(criticality, control)
        flow = waiter.arrival.flow
        self.dequeue(waiter)
        if flow in self.rounds[criticality]:
            self.rounds[criticality].remove(flow)
            self.rounds[criticality].append(flow)
        self.running += 1
        self.drained.append(self.now_ns)
        self.events.append((waiter.ticket, "runs"))

    def turn(self, criticality: Criticality, control: Control | None) -> Waiter:
        """Who is served: of the flow whose turn it is the oldest, or while CoDel drops perhaps the newest."""
        is_newest = control is not None and control.params.newest_first and control.dropping
        return self.flow(criticality, self.rounds[criticality][0])[-1 if is_newest else 0]

    def candidate(self, control: Control, criticality: Criticality) -> Waiter:
        """Whom CoDel looks at: who would be served, or where that is the newest, the oldest."""
        if control.params.newest_first and control.dropping:
            return self.of(criticality)[0]
        return self.turn(criticality, control)

    def control(self, control: Control, criticality: Criticality) -> None:
        """The dequeue of RFC 8289, section 5, up to the packet that it returns."""

        def look() -> tuple[Waiter, bool]:
            waiter = self.candidate(control, criticality)
            return waiter, control.is_ok_to_drop(waiter, len(self.of(criticality)), self.now_ns)

        waiter, is_ok = look()
        if control.dropping:
            if not is_ok:
                control.dropping = False
            while control.dropping and self.now_ns >= control.drop_next_ns:
                self.refuse(waiter, "queue.codel")
                control.count += 1
                waiter, is_ok = look()
                if not is_ok:
                    control.dropping = False
                else:
                    control.drop_next_ns = control.later(control.drop_next_ns)
        elif is_ok:
            self.refuse(waiter, "queue.codel")
            control.dropping = True
            delta = control.count - control.last_count
            is_soon = self.now_ns - control.drop_next_ns < 16 * control.params.interval_ns
            control.count = delta if delta > 1 and is_soon else 1
            control.drop_next_ns = control.later(self.now_ns)
            control.last_count = control.count
            _, is_ok = look()
            control.dropping = is_ok
