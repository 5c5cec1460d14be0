"""Retries against the rules told one by one."""

from dataclasses import dataclass
from fractions import Fraction
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.budget import Budget, BudgetParams
from sidecar.machines.ending import Ending, Response
from sidecar.machines.retry import Again, Attempt, Backoff, Progress, Request, Retry, RetryParams, Strategy
from tests.support.chance import draws, uniform
from tests.support.examples import thousands

STRATEGIES: list[Strategy] = [
    "Immediate",
    "Fixed",
    "Exponential",
    "ExponentialJitter",
    "FullJitter",
    "Decorrelated",
]
CONDITION_OF: dict[Ending, str] = {
    "connect_failure": "ConnectFailure",
    "connect_timeout": "ConnectFailure",
    "refused_stream": "RefusedStream",
    "go_away": "RefusedStream",
    "reset": "Reset",
    "per_try_timeout": "PerTryTimeout",
}
UNSENT = {"connect_failure", "connect_timeout", "refused_stream", "go_away", "peer_refusal_elsewhere"}
CODES = {2: "Unknown", 8: "ResourceExhausted", 14: "Unavailable"}

WHEN = ["ConnectFailure", "RefusedStream", "Reset", "PerTryTimeout", *CODES.values(), "5xx", "503", "429"]

durations = st.integers(0, 50)
optional_durations = st.one_of(st.none(), durations)
rarely = st.integers(0, 9).map(lambda die: die == 7)
endings: st.SearchStrategy[Ending] = st.one_of(
    st.builds(
        Response,
        status=st.sampled_from([200, 404, 429, 500, 503]),
        code=st.one_of(st.none(), st.sampled_from([0, *CODES])),
    ),
    st.sampled_from(list(CONDITION_OF)),
    st.sampled_from(
        ["request_timeout", "caller_deadline", "truncated", "peer_refusal", "local_refusal", "client_left"]
    ),
    st.just("peer_refusal_elsewhere"),
)
params = st.builds(
    RetryParams,
    attempts=st.sampled_from([0, 1, 2, 9]),
    when=st.permutations(WHEN).flatmap(lambda words: st.integers(0, len(WHEN)).map(lambda n: words[n:])),
    methods=st.sampled_from([["GET", "POST"], ["GET"], []]),
    backoff=st.builds(
        Backoff,
        strategy=st.sampled_from(STRATEGIES),
        base_ns=durations,
        multiplier=st.sampled_from([1, 1.5, 2]),
        max_ns=durations,
        jitter_ns=durations,
    ),
    replay_bytes=st.sampled_from([65_536, 65_536, 0]),
    honor_retry_after=st.booleans(),
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "GET", "POST", "PURGE"]),
    is_idempotent=st.booleans(),
    body_bytes=st.sampled_from([0, 0, 65_536, 65_537]),
)
attempts = st.builds(
    Attempt,
    ending=endings,
    is_passed_on=rarely,
    is_exhausted=rarely,
    retry_after_ns=optional_durations,
    pushback=st.sampled_from([None, None, None, "0", "-1", "x"]),
)
progresses = st.builds(
    Progress,
    now_ns=st.just(0),
    retries=st.integers(0, 2),
    previous_delay_ns=optional_durations,
    left_ns=st.one_of(st.none(), st.integers(0, 400)),
    p50_ns=optional_durations,
    has_another_endpoint=st.booleans(),
)


def is_listed(params: RetryParams, ending: Ending, progress: Progress) -> bool:
    """Whether the policy wants such an attempt tried again."""
    if isinstance(ending, Response):
        words = {str(ending.status), f"{ending.status // 100}xx", CODES.get(ending.code or 0, "")}
        return bool(words & set(params.when))
    if ending == "peer_refusal_elsewhere":
        return progress.has_another_endpoint
    return CONDITION_OF.get(ending) in params.when


def may_repeat(params: RetryParams, request: Request, attempt: Attempt) -> bool:
    """Whether the request may be sent once more at all."""
    return request.body_bytes <= params.replay_bytes and (
        attempt.ending in UNSENT or request.is_idempotent or request.method in params.methods
    )


def own_delay(backoff: Backoff, n: int, previous_ns: int | None, draw: int) -> int:
    grown = backoff.base_ns
    for _ in range(n):
        grown = int(grown * Fraction(str(backoff.multiplier)))
    grown = min(grown, backoff.max_ns)
    match backoff.strategy:
        case "Immediate":
            return 0
        case "Fixed":
            return backoff.base_ns
        case "Exponential":
            return grown
        case "ExponentialJitter":
            return grown + uniform(draw, 0, backoff.jitter_ns)
        case "FullJitter":
            return uniform(draw, 0, grown)
        case "Decorrelated":
            previous_ns = backoff.base_ns if previous_ns is None else previous_ns
            highest = max(backoff.base_ns, 3 * previous_ns)
            return min(backoff.max_ns, uniform(draw, backoff.base_ns, highest))


@dataclass(frozen=True)
class Case:
    """One question, and whether the budget has a retry left."""

    params: RetryParams
    request: Request
    attempt: Attempt
    progress: Progress
    draw: int
    has_funds: bool

    def delay_ns(self) -> int:
        """The longest of what is asked for."""
        params, progress = self.params, self.progress
        own_ns = own_delay(params.backoff, progress.retries, progress.previous_delay_ns, self.draw)
        return max(own_ns, (self.attempt.retry_after_ns or 0) if params.honor_retry_after else 0)

    def fits(self) -> bool:
        left_ns = inf if self.progress.left_ns is None else self.progress.left_ns - self.delay_ns()
        return left_ns > 0 and left_ns >= (self.progress.p50_ns or 0)

    def is_wanted(self) -> bool:
        return (
            is_listed(self.params, self.attempt.ending, self.progress)
            and may_repeat(self.params, self.request, self.attempt)
            and self.attempt.pushback not in {"-1", "x"}
        )

    def expected(self) -> int | str:
        """The delay before the next attempt, or the first rule that forbids it."""
        rules = [
            ("deliver", self.attempt.is_passed_on),
            ("upstream", self.attempt.is_exhausted),
            ("deliver", not self.is_wanted()),
            ("tries", self.progress.retries >= self.params.attempts),
            ("deadline", not self.fits()),
            ("budget", not self.has_funds),
        ]
        return next((word for word, forbids in rules if forbids), self.delay_ns())


cases = st.builds(
    Case,
    params=params,
    request=requests,
    attempt=attempts,
    progress=progresses,
    draw=draws,
    has_funds=st.booleans(),
)


@thousands()
@given(case=cases)
def test_a_decision_is_what_the_rules_say_one_by_one(case: Case) -> None:
    budget = Budget(BudgetParams(percent=100, floor_count=0))
    if case.has_funds:
        budget.deposit(0)
    retry = Retry(case.params)
    answer = retry.decide(case.request, case.attempt, case.progress, budget, case.draw)
    assert (answer.delay_ns if isinstance(answer, Again) else answer) == case.expected()
    assert budget.available(0) == (case.has_funds and not isinstance(answer, Again))
