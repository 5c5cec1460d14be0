"""Admission control against its formula in fractions, and overload against a list of what counted."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.machines.admission import Admission, AdmissionParams, AdmitRate, OverloadDamper
from sidecar.machines.reason import REASONS, is_overload
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.chance import BITS, draws
from tests.support.examples import thousands
from tests.support.sequences import initialize, rule, shown

WINDOW_NS = 30 * SECOND_NS

params = drawn.builds(
    AdmissionParams,
    success_rate=drawn.sampled_from([1, 50, 95, 99.9, 100]),
    window_ns=drawn.just(WINDOW_NS),
    max_reject=drawn.sampled_from([0, 33.3, 80, 100]),
)


class AdmissionMachine:
    """Calls that succeed and fail, and others that ask whether they may go on."""

    @initialize(params=params)
    def start(self, params: AdmissionParams) -> None:
        self.params = params
        self.admission = Admission(params)
        self.ended: list[tuple[int, bool]] = []
        self.now_ns = 0

    @rule(is_success=drawn.booleans(), count=drawn.integers(1, 20))
    def end(self, is_success: bool, count: int) -> None:
        for _ in range(count):
            self.admission.record(is_success, self.now_ns)
            self.ended.append((self.now_ns // (WINDOW_NS // 10), is_success))

    @rule(draws=drawn.lists(drawn.bits, min_size=1, max_size=5))
    def ask(self, draws: list[int]) -> None:
        bucket = self.now_ns // (WINDOW_NS // 10)
        recent = [is_success for at, is_success in self.ended if bucket - at < 10]
        wanted = sum(recent) / (Fraction(str(self.params.success_rate)) / 100)
        chance = max(Fraction(0), (len(recent) - wanted) / (len(recent) + 1))
        chance = min(chance, Fraction(str(self.params.max_reject)) / 100)
        for draw in draws:
            assert self.admission.admits(self.now_ns, draw) == (Fraction(draw, BITS) >= chance)

    @rule(step_ns=drawn.sampled_from([1, SECOND_NS, WINDOW_NS // 10, WINDOW_NS]))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(params=params)
    def edit(self, params: AdmissionParams) -> None:
        self.params = params
        self.admission.reconfigure(params)


test_admission_is_the_formula = shown(AdmissionMachine, step_bytes=48)

rates = st.sampled_from([0, 0.5, 33.3, 100])


@settings(thousands())
@given(
    heard=st.lists(st.tuples(st.integers(0, 3 * SECOND_NS), rates)),
    later=st.integers(0, 2 * SECOND_NS),
    draw=draws,
)
def test_what_an_upstream_said_last_holds_for_a_second(
    heard: list[tuple[int, float]], later: int, draw: int
) -> None:
    rate, now_ns, share = AdmitRate(), 0, Fraction(1)
    for step_ns, said in heard:
        now_ns += step_ns
        rate.hear(said, now_ns)
        share = Fraction(str(said)) / 100
    if later >= SECOND_NS:
        share = Fraction(1)
    assert rate.admits(now_ns + later, draw) == (Fraction(draw, BITS) < share)


@settings(thousands())
@given(steps=st.lists(st.integers(0, SECOND_NS // 5)))
def test_signals_of_overload_that_count_are_a_tenth_of_a_second_apart(steps: list[int]) -> None:
    damper, now_ns = OverloadDamper(), 0
    last_ns: int | None = None
    for step_ns in steps:
        now_ns += step_ns
        counts = last_ns is None or now_ns - last_ns >= SECOND_NS // 10
        assert damper.counts(now_ns) == counts
        last_ns = now_ns if counts else last_ns


def test_overload_is_what_a_peer_refuses_for_load() -> None:
    words = {reason.word for reason in REASONS if is_overload(reason.word)}
    assert words == {"queue.full", "queue.evicted", "shed.class", "shed.fairness", "shed.concurrency"}
