"""Outlier detection on live traffic: whom it sets aside, how many at most, and how they come back."""

from collections import Counter

import pytest

from tests.support.caller import Caller
from tests.support.fleet import named
from tests.support.metrics import measured, scrape
from tests.support.ports import free_port
from tests.support.readiness import until
from tests.support.upstream import OK, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING = (Send(response(500)),)
UNAVAILABLE = (Send(response(503)),)
FOR_EVER = {"base": "1h", "max": "1h"}


async def told(caller: Caller, name: str) -> list[tuple[str, str]]:
    """What happened to the endpoints of a service, in order: kind and reason."""
    answer = await caller.fleet.ask("ListEvents", {"service": named(f"test/{name}")})
    return [(one["event"]["kind"], one["event"]["reason"]) for one in answer["events"]]


async def test_an_endpoint_that_fails_is_set_aside_at_once(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        detection = {"consecutiveFailures": 1, "ejection": FOR_EVER}
        await caller.may_call("outlying", good.port, bad.port, outlierDetection=detection)
        statuses = Counter([(await caller.get("outlying")).status for _ in range(30)])
        assert statuses == {200: 29, 500: 1}
        assert (len(good.requests), len(bad.requests)) == (29, 1)
        page = await scrape(caller.sidecar.http)
        for state in ("ready", "ejected"):
            assert page.total("breakwater_endpoints", service="test/outlying", state=state) == 1

        async def is_told() -> bool:
            return await told(caller, "outlying") == [("outlier", "consecutive_failures")]

        await until(is_told)


async def test_an_outlier_returns_when_its_time_is_over(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        detection = {"consecutiveFailures": 1, "ejection": {"base": "300ms", "max": "300ms"}}
        await caller.may_call("returning", good.port, bad.port, outlierDetection=detection)
        while not bad.requests:
            await caller.get("returning")
        bad.answer = lambda _: OK

        async def has_returned() -> bool:
            return await told(caller, "returning") == [
                ("outlier", "consecutive_failures"),
                ("outlier", "returned"),
            ]

        await until(has_returned)
        await until(
            measured(caller.sidecar.http, "breakwater_endpoints", 2, service="test/returning", state="ready")
        )


async def test_an_outlier_that_returned_is_called_again(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        ejection = {"base": "300ms", "max": "300ms"}
        detection = {"interval": "1s", "consecutiveFailures": 1, "ejection": ejection}
        await caller.may_call("recalled", good.port, bad.port, outlierDetection=detection)
        while not bad.requests:
            await caller.get("recalled")
        bad.answer = lambda _: OK

        async def is_called() -> bool:
            await caller.get("recalled")
            return len(bad.requests) > 10

        await until(is_called)


async def test_the_last_endpoint_is_never_ejected(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as only:
        detection = {"consecutiveFailures": 1, "maxEjectedPercent": 100, "panicThresholdPercent": 0}
        await caller.may_call("single", only.port, outlierDetection=detection)
        assert [(await caller.get("single")).status for _ in range(5)] == [500] * 5
        assert len(only.requests) == 5


async def test_in_panic_nobody_is_set_aside(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream() as one, ScriptedUpstream() as other:
        detection = {"consecutiveFailures": 1, "maxEjectedPercent": 100, "ejection": FOR_EVER}
        await caller.may_call("panicking", good.port, one.port, other.port, outlierDetection=detection)
        one.answer = other.answer = lambda _: FAILING
        while not (one.requests and other.requests):
            await caller.get("panicking")

        async def is_told() -> bool:
            return ("panic", "began") in await told(caller, "panicking")

        await until(is_told)
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_endpoints", service="test/panicking", state="ready") == 3
        # The first ejection was real; the second would have left too few, so it ended the first.
        assert await told(caller, "panicking") == [
            ("outlier", "consecutive_failures"),
            ("panic", "began"),
            ("outlier", "returned"),
        ]


async def test_a_breaker_and_outlier_detection_share_one_verdict(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: UNAVAILABLE) as bad:
        breaker = {"endpoint": {"trip": {"consecutiveFailures": 1}, "open": {"base": "1h", "max": "1h"}}}
        detection = {"consecutiveGatewayFailures": 1, "ejection": FOR_EVER}
        await caller.may_call("agreeing", good.port, bad.port, breaker=breaker, outlierDetection=detection)
        while not bad.requests:
            await caller.get("agreeing")
        assert {(await caller.get("agreeing")).status for _ in range(20)} == {200}
        assert len(bad.requests) == 1
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_endpoints", service="test/agreeing", state="ejected") == 1


async def test_who_cannot_be_connected_to_is_told_apart(caller: Caller) -> None:
    async with ScriptedUpstream() as good:
        detection = {"connectFailures": 1, "ejection": FOR_EVER}
        await caller.may_call("deserted", good.port, free_port(), outlierDetection=detection)
        statuses = Counter([(await caller.get("deserted")).status for _ in range(20)])
        assert statuses == {200: 19, 503: 1}

        async def is_told() -> bool:
            return await told(caller, "deserted") == [("outlier", "connect_failures")]

        await until(is_told)


async def test_without_the_block_whoever_was_set_aside_is_free(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        detection = {"consecutiveFailures": 1, "ejection": FOR_EVER}
        await caller.may_call("forgiven", good.port, bad.port, outlierDetection=detection)
        while not bad.requests:
            await caller.get("forgiven")
        await caller.may_call("forgiven", good.port, bad.port)
        await until(
            measured(caller.sidecar.http, "breakwater_endpoints", 2, service="test/forgiven", state="ready")
        )
