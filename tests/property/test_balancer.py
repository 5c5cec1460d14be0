"""Balancers whose choice is no chance, against tables that are made by the book and walked one by one."""

from collections.abc import Iterator
from functools import cache
from itertools import count, islice

from sidecar.machines.balancer import BalancingPolicy, EjectionParams, Endpoints, Picked
from sidecar.machines.breaker import BreakerParams
from tests.support import drawn
from tests.support.chance import BITS
from tests.support.sequences import initialize, precondition, rule, shown

FOR_EVER_NS = 2**62
BREAKER = BreakerParams(
    error_rate=None, consecutive_failures=1, open_base_ns=FOR_EVER_NS, open_max_ns=FOR_EVER_NS
)
NOBODY_TOO_MANY = EjectionParams(max_ejected=100, panic_threshold=0)
ALGORITHMS: list[BalancingPolicy] = ["RoundRobin", "RingHash", "Maglev"]
Weights = tuple[int, ...]
WEIGHTS: list[Weights] = [
    *((1,) * count for count in range(1, 7)),
    (2, 2, 2),
    (1, 3),
    (5, 1, 2),
    (1, 1, 4, 2),
]
SLOTS = 65537
POINTS = 512


def hashed(text: str, seed: int) -> int:
    """FNV-1a of `text`, its bits mixed by the finalizer of SplitMix64."""
    found = 0xCBF29CE484222325 ^ seed
    for byte in text.encode():
        found = (found ^ byte) * 0x100000001B3 % BITS
    found = (found + 0x9E3779B97F4A7C15) % BITS
    found = (found ^ (found >> 30)) * 0xBF58476D1CE4E5B9 % BITS
    found = (found ^ (found >> 27)) * 0x94D049BB133111EB % BITS
    return found ^ (found >> 31)


@cache
def ring(weights: Weights) -> tuple[tuple[int, int], ...]:
    """Every point of Ketama's ring, with the endpoint whose it is."""
    points = [
        (hashed(f"endpoint-{at}", point), at)
        for at, weight in enumerate(weights)
        for point in range(POINTS * weight)
    ]
    return tuple(sorted(points))


@cache
def maglev(weights: Weights) -> tuple[int, ...]:
    """Maglev's table, filled in turns, each endpoint in its own permutation."""
    table: list[int | None] = [None] * SLOTS
    names = sorted(range(len(weights)), key=lambda at: f"endpoint-{at}")
    places = {at: hashed(f"endpoint-{at}", 0) % SLOTS for at in names}
    skips = {at: hashed(f"endpoint-{at}", 1) % (SLOTS - 1) + 1 for at in names}
    for at in islice(turns(weights, names), SLOTS):
        while table[places[at]] is not None:
            places[at] = (places[at] + skips[at]) % SLOTS
        table[places[at]] = at
    return tuple(at for at in table if at is not None)


def turns(weights: Weights, names: list[int]) -> Iterator[int]:
    """Round after round, whoever has had less than its part of the rounds so far."""
    taken, heaviest = dict.fromkeys(names, 0), max(weights)
    for rounds in count(1):
        for at in names:
            if taken[at] * heaviest < rounds * weights[at]:
                taken[at] += 1
                yield at


def on_ring(weights: Weights, key: int, able: set[int]) -> int:
    points = ring(weights)
    clockwise = [at for point, at in points if point >= key] + [at for _, at in points]
    return next(at for at in clockwise if at in able)


def in_table(weights: Weights, key: int, able: set[int]) -> int:
    table, start = maglev(weights), key % SLOTS
    return next(at for at in table[start:] + table[:start] if at in able)


class BalancerMachine:
    """Requests with keys, to endpoints that fail for good."""

    @initialize(weights=drawn.sampled_from(WEIGHTS), algorithm=drawn.sampled_from(ALGORITHMS))
    def start(self, weights: Weights, algorithm: BalancingPolicy) -> None:
        self.weights, self.algorithm = weights, algorithm
        self.endpoints = Endpoints([BREAKER] * len(weights), NOBODY_TOO_MANY, 0, algorithm, weights)
        self.able = set(range(len(weights)))
        self.last = -1
        self.credits = [0] * len(weights)

    def expected(self, key: int, avoid: int | None) -> int:
        others = self.able - {avoid} if avoid is not None and len(self.able) > 1 else self.able
        match self.algorithm:
            case "RingHash":
                return on_ring(self.weights, key, others)
            case "Maglev":
                return in_table(self.weights, key, others)
            case _:
                by_weight = self.turn_by_weight()
                after_last = min(others, key=lambda at: (at <= self.last, at))
                return after_last if by_weight in {None, avoid} else by_weight

    def turn_by_weight(self) -> int | None:
        """Who has most credit, where weights differ: nginx's smooth turns."""
        if len({self.weights[at] for at in self.able}) == 1:
            return None
        for at in self.able:
            self.credits[at] += self.weights[at]
        chosen = max(self.able, key=lambda at: (self.credits[at], -at))
        self.credits[chosen] -= sum(self.weights[at] for at in self.able)
        return chosen

    def ask(self, key: int, draw: int, avoid: int | None = None) -> Picked:
        self.endpoints.refresh(0)
        expected = self.expected(key, avoid)
        picked = self.endpoints.pick(0, draw, avoid, key)
        assert isinstance(picked, Picked)
        assert picked.endpoint == expected
        self.last = expected
        return picked

    @rule(key=drawn.bits, draw=drawn.bits, avoid=drawn.one_of(drawn.none(), drawn.integers(0, 5)))
    def succeed(self, key: int, draw: int, avoid: int | None) -> None:
        picked = self.ask(key, draw, avoid)
        self.endpoints.on_result(picked, "success", 0, 0, draw)

    @precondition(lambda self: len(self.able) > 1)
    @rule(key=drawn.bits, draw=drawn.bits)
    def fail(self, key: int, draw: int) -> None:
        picked = self.ask(key, draw)
        self.endpoints.on_result(picked, "failure", 0, 0, draw)
        self.able.discard(picked.endpoint)


test_whoever_is_picked_is_who_the_table_says = shown(BalancerMachine, step_bytes=20)
