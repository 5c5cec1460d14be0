"""Rate limits as one would explain them: exact fractions, everything remembered, times found by search."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import assert_never

from sidecar.machines.rate_limit import (
    Algorithm,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Rate,
    SlidingLog,
    SlidingWindow,
    TokenBucket,
)
from sidecar.machines.units import SECOND_NS

UNUSED = Fraction(7, 3)
"""The length of windows where nobody asks for any; no limit has it."""

HORIZON_NS = 1_000 * SECOND_NS
"""By then all that was used is as new, whatever the tests used."""


def is_first(time_ns: int | None, now_ns: int, is_true: Callable[[int], bool]) -> bool:
    """Whether something becomes, and stays, true after just that time; `None` is for never."""
    if time_ns is None:
        return not is_true(now_ns + HORIZON_NS)
    return is_true(now_ns + time_ns) and (time_ns == 0 or not is_true(now_ns + time_ns - 1))


def share(rate: Rate) -> Fraction:
    return max(Fraction(1), Fraction(rate.requests, rate.members))


def interval(rate: Rate) -> Fraction:
    """The time in which one request comes."""
    return Fraction(rate.per_ns * rate.members, rate.requests)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A window that began where the wall clock said, and ends where it says, but lasts its length."""

    length: Fraction
    ahead_ns: int
    opened: Fraction
    number: int = 1

    @classmethod
    def of(cls, length: Fraction, now_ns: int, ahead_ns: int) -> "Calendar":
        return cls(length, ahead_ns, now_ns - (now_ns + ahead_ns) % length)

    @property
    def closes(self) -> Fraction:
        earliest = self.opened + self.length
        return earliest + -(earliest + self.ahead_ns) % self.length

    def at(self, now_ns: int) -> "Calendar":
        if now_ns < self.closes:
            return self
        passed = (now_ns - self.closes) // self.length
        opened = self.closes + passed * self.length
        return replace(self, opened=opened, number=self.number + 1 + passed)

    def elapsed(self, now_ns: int) -> Fraction:
        return min(Fraction(1), (now_ns - self.opened) / self.length)


@dataclass
class Clock:
    """Both clocks."""

    now_ns: int = 1_000 * SECOND_NS
    ahead_ns: int = 3_500_000_000

    @property
    def unix_ns(self) -> int:
        return self.now_ns + self.ahead_ns


@dataclass
class Windows:
    """The current window of a limit, for all its cells; of any length where nobody asks."""

    calendar: Calendar

    @classmethod
    def of(cls, terms: Algorithm, clock: Clock) -> "Windows":
        match terms:
            case FixedWindow(aligned=True):
                length = Fraction(terms.rate.per_ns)
            case SlidingWindow():
                length = Fraction(terms.rate.per_ns, terms.buckets)
            case _:
                length = UNUSED
        return cls(Calendar.of(length, clock.now_ns, clock.ahead_ns))

    def at(self, at_ns: int) -> Calendar:
        return self.calendar.at(at_ns)

    def go_on(self, clock: Clock) -> None:
        """Comes to the present; from here on the wall clock says something else, perhaps.

        By what it says the window may be over, and the next one begins.
        """
        calendar = replace(self.at(clock.now_ns), ahead_ns=clock.ahead_ns)
        is_over = calendar.closes <= clock.now_ns
        following = replace(calendar, opened=Fraction(clock.now_ns), number=calendar.number + 1)
        self.calendar = following if is_over else calendar


class Cell(ABC):
    """What one key used of a limit."""

    @abstractmethod
    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        """How long one that comes at `at_ns` is held, if nobody comes before; `None` when it is refused."""

    @abstractmethod
    def charge(self, cost: int, serial: int, now_ns: int) -> None: ...

    def charge_unchecked(self, cost: int, now_ns: int) -> None:
        self.charge(cost, -1, now_ns)

    def charge_after(self, cost: int, now_ns: int) -> None:
        self.charge(cost, -1, now_ns)

    @abstractmethod
    def refund(self, cost: int, serial: int, now_ns: int) -> None: ...

    @abstractmethod
    def is_fresh(self, at_ns: int) -> bool: ...

    @abstractmethod
    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        """Takes other figures of the same algorithm, and keeps what was used."""

    def leaves_at_ns(self, serial: int, now_ns: int) -> int | None:
        """When the waiter with this serial leaves the line; `None` for who is in none."""
        return None

    def admits(self, cost: int, at_ns: int, left_ns: int | None = None) -> bool:
        return self.wait_ns(cost, at_ns, left_ns) is not None

    def admits_ever(self, cost: int, now_ns: int, left_ns: int | None = None) -> bool:
        return self.admits(cost, now_ns + HORIZON_NS, left_ns)

    def is_full_after(self, time_ns: int | None, now_ns: int) -> bool:
        """Whether that is the time until nothing is used."""
        return is_first(time_ns, now_ns, self.is_fresh)

    def has_left(self, count: int, now_ns: int) -> bool:
        """Whether just so many requests are left."""
        return (count == 0 or self.admits(count, now_ns)) and not self.admits(count + 1, now_ns)

    def has_more_after(self, time_ns: int | None, left: int, now_ns: int) -> bool:
        """Whether that is the time until more than `left` are left, or nothing used."""
        more = left + 1
        if not self.admits_ever(more, now_ns):
            return self.is_full_after(time_ns, now_ns)
        return is_first(time_ns, now_ns, lambda at_ns: self.admits(more, at_ns))


@dataclass
class Tokens(Cell):
    """A level, as of an instant."""

    terms: TokenBucket
    level: Fraction = field(init=False)
    as_of_ns: int = 0

    def __post_init__(self) -> None:
        self.level = self.capacity

    @property
    def capacity(self) -> Fraction:
        rate, burst = self.terms.rate, self.terms.burst
        tokens = Fraction(rate.requests * SECOND_NS, rate.per_ns) if burst is None else Fraction(burst)
        return max(Fraction(1), tokens / rate.members)

    def at(self, at_ns: int) -> Fraction:
        return min(self.capacity, self.level + (at_ns - self.as_of_ns) / interval(self.terms.rate))

    def put(self, level: Fraction, now_ns: int) -> None:
        self.level, self.as_of_ns = level, now_ns

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        return 0 if cost <= self.at(at_ns) else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        self.put(self.at(now_ns) - cost, now_ns)

    def charge_unchecked(self, cost: int, now_ns: int) -> None:
        level = self.at(now_ns)
        self.put(max(level - cost, min(level, Fraction(0))), now_ns)

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        self.put(self.at(now_ns) + cost, now_ns)

    def is_fresh(self, at_ns: int) -> bool:
        return self.at(at_ns) == self.capacity

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        """As many are used, rounded up to what the new bucket tells apart; at most all, but for a debt."""
        assert isinstance(terms, TokenBucket)
        used, debt = self.capacity - self.at(now_ns), max(Fraction(0), -self.at(now_ns))
        self.terms = terms
        token = terms.rate.per_ns * terms.rate.members
        used, debt = (Fraction(ceil(tokens * token), token) for tokens in (used, debt))
        self.put(self.capacity - min(used, self.capacity + debt), now_ns)


@dataclass
class Waiter:
    """One in line: what it costs, in time, and when it leaves."""

    serial: int
    cost: Fraction
    leaves: Fraction


@dataclass
class Leak(Cell):
    """When the next one could leave, and those in line."""

    terms: LeakyBucket
    evicted: set[int]
    free: Fraction = Fraction(0)
    line: list[Waiter] = field(default_factory=list)

    def waiting(self, at_ns: int) -> list[Waiter]:
        return [waiter for waiter in self.line if waiter.leaves > at_ns]

    def worth(self, cost: int) -> Fraction:
        return cost * interval(self.terms.rate)

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        if self.free <= at_ns:
            return 0
        if self.terms.queue == 0:
            return None
        free, waiting = self.free, self.waiting(at_ns)
        if len(waiting) >= self.terms.queue:
            if self.terms.evict == "Newest":
                return None
            free -= waiting[0].cost
        patience_ns = self.terms.max_wait_ns if left_ns is None else min(self.terms.max_wait_ns, left_ns)
        return wait_ns if (wait_ns := ceil(free) - at_ns) <= patience_ns else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        self.line = self.waiting(now_ns)
        if self.free <= now_ns:
            self.free = now_ns + self.worth(cost)
            return
        if len(self.line) >= self.terms.queue:
            self.evicted.add(self.line[0].serial)
            self.take_out(0, now_ns)
        self.line.append(Waiter(serial, self.worth(cost), self.free))
        self.free += self.worth(cost)

    def charge_unchecked(self, cost: int, now_ns: int) -> None:
        line = now_ns + self.worth(cost + self.terms.queue)
        self.free = max(self.free, min(max(self.free, Fraction(now_ns)) + self.worth(cost), line))

    def charge_after(self, cost: int, now_ns: int) -> None:
        self.free = max(self.free, Fraction(now_ns)) + self.worth(cost)

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        self.line = self.waiting(now_ns)
        places = [place for place, waiter in enumerate(self.line) if waiter.serial == serial]
        if places:
            self.take_out(places[0], now_ns)
        else:
            self.move_up(0, self.worth(cost), now_ns)

    def take_out(self, place: int, now_ns: int) -> None:
        self.move_up(place, self.line.pop(place).cost, now_ns)

    def move_up(self, place: int, earlier: Fraction, now_ns: int) -> None:
        """Everybody from `place` on, and who comes next, leaves earlier, but nobody before now."""
        leaves = [*(waiter.leaves for waiter in self.line), self.free][place]
        earlier = min(earlier, max(leaves - now_ns, Fraction(0)))
        for waiter in self.line[place:]:
            waiter.leaves -= earlier
        self.free -= earlier

    def is_fresh(self, at_ns: int) -> bool:
        return self.free <= at_ns

    def has_left(self, count: int, now_ns: int) -> bool:
        return count == max(0, self.terms.queue - len(self.waiting(now_ns))) + self.is_fresh(now_ns)

    def has_more_after(self, time_ns: int | None, left: int, now_ns: int) -> bool:
        leaves = [*(waiter.leaves for waiter in self.waiting(now_ns)), self.free]
        return time_ns == max(0, ceil(leaves[0]) - now_ns)

    def leaves_at_ns(self, serial: int, now_ns: int) -> int | None:
        leaves = [waiter.leaves for waiter in self.waiting(now_ns) if waiter.serial == serial]
        return ceil(leaves[0]) if leaves else None

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        """What was used is worth as many requests, rounded up to what the new bucket tells apart."""
        assert isinstance(terms, LeakyBucket)
        old, self.terms = self.terms.rate, terms
        if (old.requests, interval(old)) == (terms.rate.requests, interval(terms.rate)):
            return

        def converted(time: Fraction) -> Fraction:
            units = time / interval(old) * interval(terms.rate) * terms.rate.requests
            return Fraction(ceil(units), terms.rate.requests)

        self.free = now_ns + converted(max(self.free - now_ns, Fraction(0)))
        self.line = [
            Waiter(waiter.serial, converted(waiter.cost), now_ns + converted(waiter.leaves - now_ns))
            for waiter in self.waiting(now_ns)
        ]


@dataclass
class Window(Cell):
    """A count, and the window it belongs to: by its number, below zero, or by when its first request came.

    After an edit a charge is taken back only from a window that began at the very instant of its own.
    """

    terms: FixedWindow
    windows: Windows
    window: int = 0
    count: int = 0
    charges: dict[int, int] = field(default_factory=dict)

    def current(self, at_ns: int) -> int:
        if self.terms.aligned:
            return self.count if self.window == -self.windows.at(at_ns).number else 0
        return self.count if at_ns < self.window + self.terms.rate.per_ns else 0

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        return 0 if self.current(at_ns) + cost <= share(self.terms.rate) else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        count = self.current(now_ns)
        if count == 0:
            self.window = -self.windows.at(now_ns).number if self.terms.aligned else now_ns
        self.count = count + cost
        self.charges[serial] = self.window

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        if self.charges[serial] == self.window:
            self.count = max(0, self.count - cost)

    def is_fresh(self, at_ns: int) -> bool:
        return self.current(at_ns) == 0

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        assert isinstance(terms, FixedWindow)
        used, old = self.current(now_ns), self.terms
        self.terms, self.windows = terms, windows
        is_like = not terms.aligned or terms.rate.per_ns == old.rate.per_ns
        if used == 0 or terms.aligned != old.aligned or not is_like:
            self.count = 0
            self.charges = {serial: max(0, window) for serial, window in self.charges.items()}
            self.charge(used, -1, now_ns)


@dataclass
class Log(Cell):
    """Everything that was admitted, by instant; what the limit can never need is dropped."""

    terms: SlidingLog
    entries: dict[int, int] = field(default_factory=dict)
    charges: dict[int, int] = field(default_factory=dict)

    def current(self, at_ns: int) -> dict[int, int]:
        return {then: cost for then, cost in self.entries.items() if then > at_ns - self.terms.rate.per_ns}

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        return 0 if sum(self.current(at_ns).values()) + cost <= share(self.terms.rate) else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        self.entries = self.current(now_ns)
        if cost:
            self.entries[now_ns] = self.entries.get(now_ns, 0) + cost
        while self.entries:
            oldest = next(iter(self.entries))
            if sum(self.entries.values()) - self.entries[oldest] < int(share(self.terms.rate)):
                break
            del self.entries[oldest]
        self.charges[serial] = now_ns

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        self.entries = self.current(now_ns)
        then = self.charges[serial]
        if then in self.entries:
            self.entries[then] = max(0, self.entries[then] - cost)
            self.entries = {at: cost for at, cost in self.entries.items() if cost}

    def is_fresh(self, at_ns: int) -> bool:
        return not self.current(at_ns)

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        assert isinstance(terms, SlidingLog)
        self.entries, self.terms = self.current(now_ns), terms


@dataclass
class Slices(Cell):
    """Counts by slice; of the oldest one in view, the part that is still in view."""

    terms: SlidingWindow
    windows: Windows
    counts: Counter[int] = field(default_factory=Counter)
    charges: dict[int, int] = field(default_factory=dict)

    def used(self, at_ns: int) -> Fraction:
        calendar, buckets = self.windows.at(at_ns), self.terms.buckets
        whole = sum(self.counts[calendar.number - age] for age in range(buckets))
        return whole + self.counts[calendar.number - buckets] * (1 - calendar.elapsed(at_ns))

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        return 0 if self.used(at_ns) + cost <= share(self.terms.rate) else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        number = self.windows.at(now_ns).number
        self.counts[number] += cost
        self.charges[serial] = number

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        number = self.charges[serial]
        self.counts[number] = max(0, self.counts[number] - cost)

    def is_fresh(self, at_ns: int) -> bool:
        return self.used(at_ns) == 0

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        assert isinstance(terms, SlidingWindow)
        used, old = ceil(self.used(now_ns)), self.terms
        self.terms, self.windows = terms, windows
        if (terms.rate.per_ns, terms.buckets) != (old.rate.per_ns, old.buckets):
            self.counts = Counter()
            self.charges = dict.fromkeys(self.charges, -1)
            self.charge(used, -1, now_ns)


@dataclass
class Flight(Cell):
    """How many are in flight."""

    terms: Concurrency
    count: int = 0

    def wait_ns(self, cost: int, at_ns: int, left_ns: int | None) -> int | None:
        limit = max(Fraction(1), Fraction(self.terms.limit, self.terms.members))
        return 0 if self.count + cost <= limit else None

    def charge(self, cost: int, serial: int, now_ns: int) -> None:
        self.count += cost

    def charge_after(self, cost: int, now_ns: int) -> None:
        pass

    def refund(self, cost: int, serial: int, now_ns: int) -> None:
        self.count -= cost

    def is_fresh(self, at_ns: int) -> bool:
        return self.count == 0

    def edit(self, terms: Algorithm, now_ns: int, windows: Windows) -> None:
        assert isinstance(terms, Concurrency)
        self.terms = terms


def fresh(terms: Algorithm, windows: Windows, evicted: set[int]) -> Cell:
    """The cell of a key that was never seen; whom it evicts it adds to `evicted`."""
    match terms:
        case TokenBucket():
            return Tokens(terms)
        case LeakyBucket():
            return Leak(terms, evicted)
        case FixedWindow():
            return Window(terms, windows)
        case SlidingLog():
            return Log(terms)
        case SlidingWindow():
            return Slices(terms, windows)
        case Concurrency():
            return Flight(terms)
        case _:
            assert_never(terms)
