"""Which endpoints are picked, against the rules told over plain lists."""

from dataclasses import dataclass

from sidecar.machines.balancer import EjectionParams, Endpoints, Picked
from sidecar.machines.breaker import BreakerParams, State, Successes
from sidecar.machines.ending import Outcome
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.sequences import initialize, invariant, precondition, rule, shown

OPEN_NS = 5 * SECOND_NS
PROBES = 2
OUTCOMES: list[Outcome] = ["success", "failure", "uncounted"]
BREAKER = BreakerParams(
    error_rate=None,
    consecutive_failures=1,
    open_base_ns=OPEN_NS,
    open_multiplier=1,
    open_jitter=0,
    trial=Successes(successes=PROBES),
    max_wait_ns=1000 * SECOND_NS,
)


@dataclass
class Endpoint:
    """An endpoint whose breaker opens at the first failure and closes at the second success."""

    state: State = "closed"
    stay: int = 0
    since_ns: int = 0
    in_flight: int = 0
    successes: int = 0

    def is_open(self, now_ns: int) -> bool:
        return self.state == "open" and now_ns < self.since_ns + OPEN_NS

    def admits(self) -> bool:
        return self.state != "half_open" or self.in_flight < PROBES

    def enter(self, state: State, now_ns: int) -> None:
        self.state, self.stay, self.since_ns = state, self.stay + 1, now_ns
        self.in_flight = self.successes = 0

    def end(self, outcome: Outcome, now_ns: int) -> None:
        self.in_flight -= 1
        if outcome == "failure":
            self.enter("open", now_ns)
        elif outcome == "success" and self.state == "half_open":
            self.successes += 1
            if self.successes == PROBES:
                self.enter("closed", now_ns)


@dataclass(frozen=True)
class Out:
    """A call under way; `stay` is none if it is not counted."""

    picked: Picked
    stay: int | None


class ReadinessMachine:
    """Calls to a few endpoints that fail and recover."""

    @initialize(
        count=drawn.integers(1, 12),
        max_ejected=drawn.sampled_from([0, 10, 34, 100]),
        panic=drawn.sampled_from([0, 50, 80]),
    )
    def start(self, count: int, max_ejected: int, panic: int) -> None:
        self.params = EjectionParams(max_ejected=max_ejected, panic_threshold=panic)
        self.endpoints = Endpoints([BREAKER] * count, self.params, 0)
        self.model = [Endpoint() for _ in range(count)]
        self.out: list[Out] = []
        self.was_panicking = False
        self.now_ns = 0

    def verdicts(self) -> list[str]:
        """Every open endpoint is ejected, the earliest first, as far as ceiling and panic allow."""
        count = len(self.model)
        opened = sorted(
            (endpoint.since_ns, at) for at, endpoint in enumerate(self.model) if endpoint.is_open(self.now_ns)
        )
        ceiling = min(max(1, count * int(self.params.max_ejected) // 100), count - 1)
        ejected = [] if self.is_panicking() else [at for _, at in opened[:ceiling]]
        kept = [at for _, at in opened if at not in ejected]
        return ["ejected" if at in ejected else "kept" if at in kept else "ready" for at in range(count)]

    def is_panicking(self) -> bool:
        healthy = sum(not endpoint.is_open(self.now_ns) for endpoint in self.model)
        return healthy * 100 < self.params.panic_threshold * len(self.model)

    @rule(draw=drawn.bits, avoid=drawn.one_of(drawn.none(), drawn.integers(0, 11)))
    def pick(self, draw: int, avoid: int | None) -> None:
        avoid = None if avoid is None or avoid >= len(self.model) else avoid
        verdicts = self.verdicts()
        able = [at for at, word in enumerate(verdicts) if word == "kept" or self.can_take(at, word)]
        picked = self.endpoints.pick(self.now_ns, draw, avoid)
        if not able:
            assert picked == "breaker.half_open_full"
            return
        assert isinstance(picked, Picked)
        assert picked.endpoint in able
        assert picked.endpoint != avoid or able == [avoid]
        self.begin(picked, verdicts[picked.endpoint])

    def can_take(self, at: int, verdict: str) -> bool:
        return verdict == "ready" and self.model[at].admits()

    def begin(self, picked: Picked, verdict: str) -> None:
        endpoint = self.model[picked.endpoint]
        if verdict == "kept":
            self.out.append(Out(picked, None))
            return
        if endpoint.state == "open":
            endpoint.enter("half_open", self.now_ns)
        endpoint.in_flight += 1
        self.out.append(Out(picked, endpoint.stay))

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100), outcome=drawn.sampled_from(OUTCOMES), draw=drawn.bits)
    def end(self, choice: int, outcome: Outcome, draw: int) -> None:
        call = self.out.pop(choice % len(self.out))
        self.endpoints.on_result(call.picked, outcome, SECOND_NS, self.now_ns, draw)
        endpoint = self.model[call.picked.endpoint]
        if call.stay == endpoint.stay:
            endpoint.end(outcome, self.now_ns)

    @rule(step_ns=drawn.sampled_from([1, SECOND_NS, OPEN_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @invariant()
    def the_verdicts_are_the_models_and_panic_is_an_event(self) -> None:
        change = self.endpoints.refresh(self.now_ns)
        is_panicking = self.is_panicking()
        expected = {(False, True): "began", (True, False): "ended"}.get((self.was_panicking, is_panicking))
        assert change == expected
        self.was_panicking = is_panicking
        assert [self.endpoints.verdict(at) for at in range(len(self.model))] == self.verdicts()
        assert [self.endpoints.state(at) for at in range(len(self.model))] == [
            endpoint.state for endpoint in self.model
        ]

    @invariant()
    def somebody_is_always_ready(self) -> None:
        assert any(word != "ejected" for word in self.verdicts())


test_whoever_is_picked_is_ready_by_the_rules = shown(ReadinessMachine, steps=20, step_bytes=20)
