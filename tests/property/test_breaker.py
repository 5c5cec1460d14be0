"""The breaker against a model that remembers every call and works everything out from the start."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import takewhile

from sidecar.machines.breaker import (
    BREAKER_TRANSITIONS,
    Breaker,
    BreakerParams,
    Cause,
    Counts,
    CountWindow,
    Permit,
    Probes,
    Refusal,
    State,
    Successes,
    TimeWindow,
)
from sidecar.machines.ending import Outcome
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.chance import uniform
from tests.support.sequences import initialize, invariant, precondition, rule, shown

Way = tuple[State, State, Cause]


@dataclass(frozen=True)
class Call:
    """A call that was recorded."""

    at_ns: int
    failed: bool
    slow: bool


@dataclass
class Held:
    """A permit that is out, and the stay of the state that gave it."""

    permit: Permit
    stay: int
    since_ns: int
    answered: bool = False


@dataclass
class Model:
    """The rules of the breaker, told naively."""

    params: BreakerParams
    state: State = "closed"
    stay: int = 0
    until_ns: int = 0
    reopenings: int = 0
    calls: list[Call] = field(default_factory=list)
    probes: list[Held] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    overloaded_ns: int | None = None
    opens_for_ns: int | None = None

    def enter(self, state: State, cause: Cause) -> None:
        self.ways.append((self.state, state, cause))
        self.state, self.stay = state, self.stay + 1
        self.probes = []
        if state != "open":
            self.calls = []
        if state not in {"open", "half_open"}:
            self.reopenings = 0

    def open(self, cause: Cause, now_ns: int, draw: int) -> None:
        self.reopenings = self.reopenings + 1 if self.state == "half_open" else 0
        self.enter("open", cause)
        factor = Fraction(str(self.params.open_multiplier))
        time_ns = self.params.open_base_ns
        for _ in range(self.reopenings):
            time_ns = int(time_ns * factor)
        time_ns = min(time_ns, self.params.open_max_ns)
        if self.opens_for_ns is not None:
            time_ns = self.opens_for_ns
        swing_ns = int(time_ns * Fraction(str(self.params.open_jitter)) / 100)
        self.until_ns = now_ns + uniform(draw, time_ns - swing_ns, time_ns + swing_ns)

    def is_slow(self, latency_ns: int) -> bool:
        limit_ns = self.params.slow_after_ns
        return self.params.slow_rate is not None and limit_ns is not None and latency_ns > limit_ns

    def window(self, now_ns: int) -> list[Call]:
        window = self.params.window
        if self.state == "half_open":
            return self.calls
        if isinstance(window, CountWindow):
            return self.calls[-window.size :]
        bucket_ns = window.duration_ns // 10
        return [call for call in self.calls if now_ns // bucket_ns - call.at_ns // bucket_ns < 10]

    def streak(self, now_ns: int) -> int:
        """Failures in a row, as long as no two of them, or the last one and now, are too far apart."""
        instants = [call.at_ns for call in takewhile(lambda call: call.failed, reversed(self.calls))]
        if self.state == "half_open":
            return len(instants)
        gaps = [later - earlier for later, earlier in zip([now_ns, *instants], instants, strict=False)]
        return len(list(takewhile(lambda gap: gap < self.params.reset_timeout_ns, gaps)))

    def counts(self, now_ns: int) -> tuple[int, int, int, int]:
        window = self.window(now_ns)
        failures, slow = sum(call.failed for call in window), sum(call.slow for call in window)
        return len(window), failures, slow, self.streak(now_ns)

    def rate_cause(self, window: list[Call], error_rate: float | None) -> Cause | None:
        failures = Fraction(100 * sum(call.failed for call in window), max(1, len(window)))
        slow = Fraction(100 * sum(call.slow for call in window), max(1, len(window)))
        if error_rate is not None and failures >= error_rate:
            return "error_rate"
        if self.params.slow_rate is not None and slow >= self.params.slow_rate:
            return "slow_rate"
        return None

    def record(self, call: Call, draw: int) -> None:
        self.calls.append(call)
        limit, window = self.params.consecutive_failures, self.window(call.at_ns)
        minimum = self.params.minimum_requests
        if isinstance(self.params.window, CountWindow):
            minimum = min(minimum, self.params.window.size)
        cause = self.rate_cause(window, self.params.error_rate) if len(window) >= minimum else None
        if limit is not None and self.streak(call.at_ns) >= limit:
            cause = "consecutive_failures"
        if cause is not None:
            self.open(cause, call.at_ns, draw)

    def conclude(self, call: Call, failure: Cause, now_ns: int, draw: int) -> None:
        """Records how a probe ended, and judges."""
        self.calls.append(call)
        trial = self.params.trial
        if isinstance(trial, Probes):
            if len(self.calls) == trial.probes:
                error_rate = 50 if self.params.error_rate is None else self.params.error_rate
                self.settle(self.rate_cause(self.calls, error_rate), now_ns, draw)
        elif call.failed or call.slow:
            self.settle(failure, now_ns, draw)
        elif len(self.calls) == trial.successes:
            self.settle(None, now_ns, draw)

    def settle(self, failure: Cause | None, now_ns: int, draw: int) -> None:
        if failure is None:
            self.enter("closed", "probes_passed")
        else:
            self.open(failure, now_ns, draw)

    def check(self, now_ns: int, draw: int) -> None:
        """Ends what is over by now."""
        if self.state in {"forced_open", "forced_closed", "disabled"} and self.until_ns <= now_ns:
            self.enter("closed", "force_over")
        while self.probes and now_ns - self.probes[0].since_ns >= self.params.max_wait_ns:
            probe = self.probes.pop(0)
            call = Call(now_ns, failed=not probe.answered, slow=False)
            self.conclude(call, "probe_silent", now_ns, draw)

    def counts_overload(self, held: Held, now_ns: int) -> bool:
        """Whether a refusal for overload is a failure: where told so, and at most one in 100 ms."""
        if self.params.overload_open_ns is None or held.stay != self.stay:
            return False
        last_ns = self.overloaded_ns
        if last_ns is not None and now_ns - last_ns < SECOND_NS // 10:
            return False
        self.overloaded_ns = now_ns
        return True

    def has_place(self) -> bool:
        trial = self.params.trial
        if isinstance(trial, Successes):
            return len(self.probes) < trial.successes
        return len(self.probes) + len(self.calls) < trial.probes


params = drawn.builds(
    BreakerParams,
    window=drawn.one_of(
        drawn.builds(CountWindow, size=drawn.integers(1, 8)),
        drawn.builds(TimeWindow, duration_ns=drawn.sampled_from([10 * SECOND_NS, 100])),
    ),
    minimum_requests=drawn.integers(0, 6),
    error_rate=drawn.sampled_from([None, 50, 33.3333, 100]),
    slow_rate=drawn.sampled_from([None, 25, 60]),
    slow_after_ns=drawn.sampled_from([None, SECOND_NS]),
    consecutive_failures=drawn.one_of(drawn.none(), drawn.integers(1, 4)),
    reset_timeout_ns=drawn.sampled_from([SECOND_NS, 20 * SECOND_NS]),
    open_base_ns=drawn.sampled_from([SECOND_NS, 5 * SECOND_NS]),
    open_multiplier=drawn.sampled_from([1, 1.5, 2]),
    open_max_ns=drawn.sampled_from([4 * SECOND_NS, 30 * SECOND_NS]),
    open_jitter=drawn.sampled_from([0, 20, 100]),
    trial=drawn.one_of(
        drawn.builds(Successes, successes=drawn.integers(1, 3)),
        drawn.builds(Probes, probes=drawn.integers(1, 4)),
    ),
    max_wait_ns=drawn.sampled_from([SECOND_NS, 7 * SECOND_NS]),
    overload_open_ns=drawn.sampled_from([None, SECOND_NS // 2]),
)
FORCED: list[tuple[str, State]] = [
    ("open", "forced_open"),
    ("closed", "forced_closed"),
    ("disabled", "disabled"),
]
outcomes = drawn.sampled_from(["success", "failure", "failure", "uncounted"])
latencies = drawn.sampled_from([0, SECOND_NS, SECOND_NS + 1])


class BreakerMachine:
    """Calls, late answers, silence and people's decisions."""

    @initialize(params=params)
    def start(self, params: BreakerParams) -> None:
        self.model = Model(params)
        self.breaker = Breaker(params)
        self.out: list[Held] = []
        self.now_ns = 0

    @rule(draw=drawn.bits)
    def admit(self, draw: int) -> None:
        model = self.model
        model.check(self.now_ns, draw)
        if model.state == "open" and model.until_ns <= self.now_ns:
            model.enter("half_open", "open_time_over")
        answer = self.breaker.admit(self.now_ns, draw)
        if model.state == "open":
            self.expect_refusal(answer, "breaker.open", model.until_ns - self.now_ns)
        elif model.state == "forced_open":
            self.expect_refusal(answer, "breaker.forced", None)
        elif model.state == "half_open" and not model.has_place():
            self.expect_refusal(answer, "breaker.half_open_full", None)
        else:
            assert isinstance(answer, Permit)
            held = Held(answer, model.stay, self.now_ns)
            self.out.append(held)
            if model.state == "half_open":
                model.probes.append(held)

    def expect_refusal(self, answer: Permit | Refusal, reason: str, retry_after_ns: int | None) -> None:
        assert isinstance(answer, Refusal)
        assert (answer.reason, answer.retry_after_ns) == (reason, retry_after_ns)

    @rule(count=drawn.integers(1, 5), outcome=outcomes, latency_ns=latencies, draw=drawn.bits)
    def call(self, count: int, outcome: Outcome, latency_ns: int, draw: int) -> None:
        for _ in range(count):
            before = len(self.out)
            self.admit(draw)
            if len(self.out) > before:
                self.end(before, outcome, latency_ns, draw)

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100), outcome=outcomes, latency_ns=latencies, draw=drawn.bits)
    def end(self, choice: int, outcome: Outcome, latency_ns: int, draw: int) -> None:
        held = self.out.pop(choice % len(self.out))
        self.breaker.on_result(held.permit, outcome, latency_ns, self.now_ns, draw)
        model = self.model
        if outcome == "uncounted":
            model.probes = [probe for probe in model.probes if probe is not held]
            return
        model.check(self.now_ns, draw)
        self.conclude(held, outcome, latency_ns, draw)

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100), draw=drawn.bits)
    def be_refused_for_overload(self, choice: int, draw: int) -> None:
        held = self.out.pop(choice % len(self.out))
        self.breaker.on_overload(held.permit, self.now_ns, draw)
        model = self.model
        model.check(self.now_ns, draw)
        if not model.counts_overload(held, self.now_ns):
            model.probes = [probe for probe in model.probes if probe is not held]
            return
        model.opens_for_ns = model.params.overload_open_ns
        self.conclude(held, "failure", 0, draw)
        model.opens_for_ns = None

    def conclude(self, held: Held, outcome: Outcome, latency_ns: int, draw: int) -> None:
        model = self.model
        slow = model.is_slow(latency_ns)
        call = Call(self.now_ns, failed=outcome == "failure", slow=slow)
        if held in model.probes:
            model.probes.remove(held)
            model.conclude(call, "probe_failed" if call.failed else "probe_slow", self.now_ns, draw)
        elif held.stay == model.stay and model.state == "closed":
            model.record(call, draw)
        elif held.stay == model.stay and model.state == "forced_closed":
            model.calls.append(call)

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100), draw=drawn.bits)
    def answer(self, choice: int, draw: int) -> None:
        held = self.out[choice % len(self.out)]
        self.breaker.on_headers(held.permit, self.now_ns, draw)
        self.model.check(self.now_ns, draw)
        held.answered = True

    @precondition(lambda self: self.out)
    @rule(choice=drawn.integers(0, 100))
    def cancel(self, choice: int) -> None:
        held = self.out.pop(choice % len(self.out))
        self.breaker.release(held.permit)
        self.model.probes = [probe for probe in self.model.probes if probe is not held]

    @rule(step_ns=drawn.sampled_from([1, 10, SECOND_NS // 2, SECOND_NS, 5 * SECOND_NS, 30 * SECOND_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(draw=drawn.bits)
    def check(self, draw: int) -> None:
        self.breaker.check(self.now_ns, draw)
        self.model.check(self.now_ns, draw)

    @rule(
        how=drawn.sampled_from(
            [("open", "forced_open"), ("closed", "forced_closed"), ("disabled", "disabled")]
        )
    )
    def force(self, how: tuple[str, State]) -> None:
        word, state = how
        self.model.check(self.now_ns, 0)
        self.model.enter(state, "forced")
        self.model.until_ns = self.now_ns + SECOND_NS
        self.breaker.force(word, self.model.until_ns, self.now_ns)  # type: ignore[arg-type]  # a sampled word

    @rule()
    def lift(self) -> None:
        if self.model.state in {"forced_open", "forced_closed", "disabled"}:
            self.model.enter("closed", "force_over")
        self.breaker.lift(self.now_ns)

    @rule(edited=params)
    def edit(self, edited: BreakerParams) -> None:
        """Other thresholds and times; the model cannot tell what another window or reset would have kept."""
        kept = self.model.params
        edited = replace(edited, window=kept.window, trial=kept.trial, reset_timeout_ns=kept.reset_timeout_ns)
        self.model.params = edited
        self.breaker.reconfigure(edited)

    @invariant()
    def the_state_and_its_end_are_the_models(self) -> None:
        model = self.model
        assert self.breaker.state == model.state
        assert self.breaker.until_ns == (None if model.state in {"closed", "half_open"} else model.until_ns)
        assert self.breaker.probes_in_flight == len(model.probes)

    @invariant()
    def what_is_counted_is_the_models(self) -> None:
        if self.model.state != "open":
            counts = self.breaker.counts(self.now_ns)
            assert as_tuple(counts) == self.model.counts(self.now_ns)

    @invariant()
    def every_transition_is_reported_in_order_and_is_in_the_table(self) -> None:
        ways = [(way.source, way.target, way.cause) for way in self.breaker.take_transitions()]
        assert ways == self.model.ways
        self.model.ways = []
        for source, target, cause in ways:
            own = cause not in {"forced", "force_over"}
            rows = [row for row in BREAKER_TRANSITIONS if row[:2] == (source, target) and cause in row[2]]
            assert len(rows) == own


def as_tuple(counts: Counts) -> tuple[int, int, int, int]:
    return counts.calls, counts.failures, counts.slow, counts.consecutive_failures


test_states_counts_and_transitions_are_the_models = shown(BreakerMachine, steps=20, step_bytes=20)
