"""Health checks against a list of all answers, and probers against every ranking there could be."""

from fractions import Fraction
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.health_check import (
    HealthCheckParams,
    HealthProbes,
    HealthVerdict,
    checker,
    is_prober,
    probers_verdict,
)
from sidecar.machines.units import SECOND_NS
from tests.support import drawn
from tests.support.examples import thousands
from tests.support.sequences import initialize, invariant, rule, shown

FIFTH = Fraction(1, 5)

votes = st.integers(0, 4)
others = drawn.integers(0, 4)
settings = drawn.builds(
    HealthCheckParams,
    interval_ns=drawn.integers(SECOND_NS // 10, 100 * SECOND_NS),
    unhealthy_after=drawn.integers(1, 4),
    healthy_after=drawn.integers(1, 4),
)


class HealthMachine:
    """One endpoint, probed and left to others in any order."""

    now_ns = 0

    @initialize(params=settings, draw=drawn.bits)
    def start(self, params: HealthCheckParams, draw: int) -> None:
        self.params = params
        self.probes = HealthProbes(params, self.now_ns, draw)
        self.verdict: HealthVerdict = "unknown"
        self.answers: list[bool] = []
        self.earliest_ns, self.latest_ns = Fraction(0), Fraction(params.interval_ns)

    def begin_to_wait(self) -> None:
        interval = Fraction(self.params.interval_ns)
        self.earliest_ns = self.now_ns + interval * (1 - FIFTH)
        self.latest_ns = self.now_ns + interval * (1 + FIFTH)

    def expected(self) -> HealthVerdict:
        """The verdict after the last answer: by the first of all, or by enough of a kind in a row."""
        last = self.answers[-1]
        if self.verdict == "unknown":
            return "healthy" if last else "unhealthy"
        streak = len(list(takewhile(lambda answer: answer is last, reversed(self.answers))))
        needed = self.params.healthy_after if last else self.params.unhealthy_after
        if streak < needed:
            return self.verdict
        return "healthy" if last else "unhealthy"

    @rule(step_ns=drawn.one_of(drawn.integers(0, 120 * SECOND_NS), drawn.integers(0, SECOND_NS)))
    def wait(self, step_ns: int) -> None:
        self.now_ns += step_ns

    @rule(has_passed=drawn.booleans(), draw=drawn.bits)
    def answer(self, has_passed: bool, draw: int) -> None:
        self.answers.append(has_passed)
        before, self.verdict = self.verdict, self.expected()
        changed = self.probes.on_result(has_passed, self.now_ns, draw)
        assert changed == (self.verdict if self.verdict != before else None)
        self.begin_to_wait()

    @rule(healthy=others, unhealthy=others, draw=drawn.bits)
    def stand_back(self, healthy: int, unhealthy: int, draw: int) -> None:
        self.probes.stand_back(healthy, unhealthy, self.now_ns, draw)
        if self.verdict != "unhealthy" or healthy + unhealthy:
            self.verdict, self.answers = "unknown", []
        self.begin_to_wait()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "probes"):
            assert self.probes.verdict == self.verdict
            assert self.earliest_ns - 1 <= self.probes.due_ns <= self.latest_ns + 1


test_verdicts_and_instants_are_those_of_the_answers = shown(HealthMachine, steps=20, step_bytes=20)

names = st.lists(st.text("abc-019", min_size=1, max_size=12), unique=True, max_size=12)


@thousands()
@given(instances=names, endpoint=st.text(max_size=20), probers=st.integers(1, 5), leaver=st.integers(0, 11))
def test_as_many_probe_as_there_should_and_who_stays_goes_on(
    instances: list[str], endpoint: str, probers: int, leaver: int
) -> None:
    checkers = sorted({checker(instance) for instance in instances})
    chosen = {one for one in checkers if is_prober(one, checkers, endpoint, probers)}
    assert len(chosen) == min(probers, len(checkers))
    if not checkers:
        return
    gone = checkers[leaver % len(checkers)]
    left = [one for one in checkers if one != gone]
    after = {one for one in left if is_prober(one, left, endpoint, probers)}
    assert chosen - {gone} <= after
    assert len(after - chosen) <= (gone in chosen)


@thousands()
@given(own=st.sampled_from(["unknown", "healthy", "unhealthy"]), healthy=votes, unhealthy=votes)
def test_an_endpoint_is_unhealthy_where_most_that_know_say_so(
    own: HealthVerdict, healthy: int, unhealthy: int
) -> None:
    known = [True] * healthy + [False] * unhealthy
    known += [] if own == "unknown" else [own == "healthy"]
    expected = "unknown"
    if known:
        expected = "unhealthy" if Fraction(known.count(False), len(known)) > Fraction(1, 2) else "healthy"
    assert probers_verdict(own, healthy, unhealthy) == expected
