"""Health checks against a list of all answers, and probers against every ranking there could be."""

from fractions import Fraction
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sidecar.machines import (
    SECOND_NS,
    HealthCheckParams,
    HealthProbes,
    HealthVerdict,
    checker,
    is_prober,
    probers_verdict,
)

DRAWS = 1 << 64
FIFTH = Fraction(1, 5)

draws = st.one_of(st.integers(0, DRAWS - 1), st.sampled_from([0, DRAWS - 1]))
votes = st.integers(0, 4)
settings = st.builds(
    HealthCheckParams,
    interval_ns=st.integers(SECOND_NS // 10, 100 * SECOND_NS),
    unhealthy_after=st.integers(1, 4),
    healthy_after=st.integers(1, 4),
)


class HealthMachine(RuleBasedStateMachine):
    """One endpoint, probed and left to others in any order."""

    now_ns = 0

    @initialize(params=settings, draw=draws)
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

    @rule(seconds=st.fractions(0, 120))
    def wait(self, seconds: Fraction) -> None:
        self.now_ns += int(seconds * SECOND_NS)

    @rule(has_passed=st.booleans(), draw=draws)
    def answer(self, has_passed: bool, draw: int) -> None:
        self.answers.append(has_passed)
        before, self.verdict = self.verdict, self.expected()
        changed = self.probes.on_result(has_passed, self.now_ns, draw)
        assert changed == (self.verdict if self.verdict != before else None)
        self.begin_to_wait()

    @rule(healthy=votes, unhealthy=votes, draw=draws)
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


TestHealth = HealthMachine.TestCase

names = st.lists(st.text("abc-019", min_size=1, max_size=12), unique=True, max_size=12)


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
