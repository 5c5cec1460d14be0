"""Rows of outcomes of attempts, against the rules of retries told one by one: how often each is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import pytest

from tests.support.caller import Caller
from tests.support.framing import Message
from tests.support.rawclient import fetch
from tests.support.upstream import GARBAGE, Close, Reset, Script, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED_METHODS: Final = ("GET", "PUT", "DELETE")
REPLAY_BYTES: Final = 65_536
ANSWERS: Final = (200, 404, 503)
BUDGET: Final = {"percent": 100, "minRetryRate": {"count": 100, "interval": "1s"}}


def answering(status: int) -> Script:
    """Answer on a connection that carries nothing else, so that none is found closed."""
    return (Send(response(status, fields=b"Connection: close\r\n")), Close())


OUTCOMES: Final[dict[str, Script]] = {
    **{str(status): answering(status) for status in ANSWERS},
    "reset": (Reset(),),
    "closed": (Close(),),
    "partial": (Send(b"HTTP/1.1 200 OK\r\nConte"), Close()),
    "garbage": GARBAGE,
}
CONDITION_OF: Final = {"503": "503", **dict.fromkeys(("reset", "closed", "partial", "garbage"), "Reset")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What attempts come to, one after the other, and what is asked under which policy."""

    outcomes: Sequence[str]
    when: Sequence[str]
    attempts: int
    method: str
    has_key: bool
    body_bytes: int


def drawn(seed: int) -> Case:
    chance = Random(seed)  # noqa: S311 (nothing is secret)
    return Case(
        outcomes=chance.choices(list(OUTCOMES), weights=[1, 1, 3, 1, 1, 1, 1], k=5),
        when=chance.sample(["503", "Reset", "ConnectFailure"], k=chance.randint(1, 3)),
        attempts=chance.randint(0, 3),
        method=chance.choice([*LISTED_METHODS, "POST"]),
        has_key=chance.random() < 0.3,
        body_bytes=chance.choice([0, 100, REPLAY_BYTES, REPLAY_BYTES + 1]),
    )


def expected(case: Case) -> tuple[int, int, bool]:
    """How many calls reach the upstream, the status that comes back, and whether it was retried in vain."""
    may_repeat = case.method in LISTED_METHODS or case.has_key
    is_kept = case.body_bytes <= REPLAY_BYTES
    for calls, outcome in enumerate(case.outcomes, 1):
        is_tried_again = CONDITION_OF.get(outcome) in case.when and may_repeat and is_kept
        if not is_tried_again or calls > case.attempts:
            return calls, int(outcome) if outcome.isdigit() else 502, is_tried_again
    raise AssertionError


@pytest.mark.parametrize("seed", range(24))
async def test_an_upstream_is_called_as_often_as_the_rules_say(caller: Caller, seed: int) -> None:
    case, name = drawn(seed), f"outcomes-{seed}"
    left = iter(case.outcomes)

    def answer(_: Message) -> Script:
        return OUTCOMES[next(left)]

    async with ScriptedUpstream(answer) as upstream:
        retry = {
            "attempts": case.attempts,
            "when": [*case.when],
            "strategy": "Immediate",
            "budget": BUDGET,
        }
        await caller.may_call(name, upstream.port, retry=retry)
        key = {"idempotency_key": "one"} if case.has_key else {}
        body = "x" * case.body_bytes
        said = await fetch(caller.sidecar.outbound, host=name, method=case.method, body=body, **key)
        is_exhausted = said.text("breakwater-retry") == "exhausted"
        calls = len(upstream.requests)
        assert (calls, said.status, is_exhausted) == expected(case), case
        assert said.text("breakwater-attempts") == (str(calls) if calls > 1 else None)
        assert {len(request.body) for request in upstream.requests} == {case.body_bytes}
