"""Whoever brings a document is told the same of it: by `validate` and the admin API, a file, the webhook."""

import asyncio
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import pytest

from controlplane.admin.policies import Policies
from controlplane.analysis.analyze import analyze
from controlplane.analysis.world import World
from controlplane.model.codes import Code
from controlplane.model.document import Problem
from controlplane.sources.desired import Desired, settle
from controlplane.sources.reader import parse
from controlplane.sources.source import Reading
from tests.support.builders import SCHEMA, service, snapshot
from tests.unit.controlplane.sources.test_reader import LIMIT, POLICY

SERVICES: Final = (service(instances=2), service("shop/bare", has_sidecar=False))
FILE: Final = "cart.yaml"


def block(text: str, target: str = "{kind: Service, name: cart}") -> str:
    """Return a policy that says so."""
    return POLICY.format(block=text).replace("{kind: Service, name: cart}", target)


def limit(fields: str) -> str:
    """Return a policy with one limit."""
    return LIMIT.format(limit=f"{{name: a, {fields}}}")


REQUEST: Final = "timeouts: {request: 1s}"
LOG: Final = "per: 1s, algorithm: SlidingLog"
TEXTS: Final[Mapping[Code, str]] = {
    Code.UNREADABLE: block("timeouts: {request: soon}"),
    Code.MISFIT: block("loadBalancing: {policy: RingHash}"),
    Code.IDLE: block("breaker: {service: {trip: {}}}"),
    Code.TARGET_MISSING: block(REQUEST, "{kind: Service, name: nobody}"),
    Code.OUT_OF_REACH: block(REQUEST, "{group: breakwater.dev, kind: Mesh, name: default}"),
    Code.BAD_TARGET: block(REQUEST, "{kind: Mesh, name: cart}"),
    Code.CALLER_MISSING: block(REQUEST + "\n  from: [{kind: Service, name: nobody}]"),
    Code.UNENFORCED: block("concurrency: {limit: 1}", "{kind: Service, name: bare}").replace(
        "ResiliencePolicy", "BackpressurePolicy"
    ),
    Code.BACKEND_MISSING: block("fallback: {when: [Open], service: {name: nobody}}"),
    Code.PER_TRY_TOO_LONG: block("timeouts: {request: 1s, perTry: 2s}"),
    Code.BACKWARDS: block("retry: {backoff: {base: 2s, max: 1s}}"),
    Code.HEDGE_TOO_LATE: block("timeouts: {request: 1s}\n  hedge: {after: 1s}"),
    Code.WAIT_TOO_LONG: block("timeouts: {request: 1s}\n  bulkhead: {queueTimeout: 2s}"),
    Code.HEDGE_NEVER: block("timeouts: {request: 3s, perTry: 1s}\n  hedge: {after: 2s}"),
    Code.CAPPED: block("retry: {backoff: {base: 1s}}"),
    Code.RETRIES_TOO_LONG: block("timeouts: {request: 1s, perTry: 600ms}\n  retry: {attempts: 1}"),
    Code.SUBJECT_UNKNOWN: limit("requests: 1, per: 1s, by: [{}]"),
    Code.COST_TOO_HIGH: limit("requests: 1, per: 1s, cost: {fixed: 2}"),
    Code.KEYS_UNBOUNDED: limit("requests: 1, per: 1s, by: [{path: true}]"),
    Code.BURST_OF_ONE: limit("requests: 60, per: 1m"),
    Code.LOG_TOO_LONG: limit(f"requests: 10001, {LOG}"),
    Code.LOGS_TOO_LARGE: limit(f"requests: 10000, {LOG}, by: [{{sourceIp: true}}]"),
    Code.OUT_OF_BOUNDS: limit("resource: {cpuPercent: {enter: 50, exit: 60}}"),
    Code.NOT_FOR_CALLERS: limit("resource: {cpuPercent: {enter: 50}}") + "  at: Caller\n",
    Code.BAD_LIMIT: limit("concurrency: 1, per: 1s"),
    Code.FLEET_TOTAL: limit("requests: 1, per: 1s"),
}

Told = set[tuple[Code, str, str]]


def told(problems: Iterable[Problem]) -> Told:
    """Return what is told of a document, whose level and hint follow from the code."""
    return {(problem.code, problem.path, problem.message) for problem in problems}


def policies() -> Policies:
    """Return the admin API's half, with nothing in force but the services."""
    parts: Any = SimpleNamespace(
        newest=SimpleNamespace(desired=Desired()), snapshot=snapshot((), SERVICES), writer=None
    )
    return Policies(parts, parts, SCHEMA, parts)


def of_file(text: str) -> Told:
    """Return what a source tells that reads the text, and what is found once it is in force."""
    reading = Reading(source="file", units={FILE: parse(text, FILE, SCHEMA)}, position=1)
    settled = settle(Desired(), [reading])
    world = World(snapshot=snapshot(settled.documents.values(), SERVICES))
    return told([*settled.problems_of("file"), *analyze(world)])


@pytest.mark.parametrize("code", TEXTS, ids=lambda code: code.number)
def test_every_door_tells_the_same(code: Code) -> None:
    text, admin = TEXTS[code], policies()
    found = told(asyncio.run(admin.check([(FILE, text)])).problems)
    assert code in {each for each, _, _ in found}, found
    assert told(asyncio.run(admin.check_object(text))) == found
    assert of_file(text) == found


def test_a_problem_on_one_line_says_how_bad_it_is_and_what_to_do() -> None:
    problem = Problem(object="Mesh default", path="spec", message="says nothing", code=Code.IDLE)
    assert (
        problem.coded
        == "Mesh default spec: says nothing (Warning BW0003; leave it out, or say what is meant)"
    )


def test_what_documents_mean_is_told_beside_one_that_cannot_be_read() -> None:
    dangling = block(REQUEST, "{kind: Service, name: nobody}")
    broken = TEXTS[Code.UNREADABLE].replace("name: cart, n", "name: broken, n")
    reaching = TEXTS[Code.OUT_OF_REACH].replace("name: cart, n", "name: reaching, n")
    text = f"{dangling}---\n{broken}---\n{reaching}"
    found = told(asyncio.run(policies().check([(FILE, text)])).problems)
    assert {code for code, _, _ in found} == {Code.TARGET_MISSING, Code.UNREADABLE, Code.OUT_OF_REACH}
    assert of_file(text) == found
