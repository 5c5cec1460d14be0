"""What clients are told of limits: of each that applies, how a refusal looks, and when to come back."""

import pytest

from tests.support.limited import Limited
from tests.support.metrics import measured
from tests.support.readiness import until
from tests.support.refusal import refusal
from tests.support.upstream import Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONCE = {"requests": 1, "per": "1h", "burst": 1}
HOUR = 3600
JITTER = 1.1


async def test_every_limit_that_applies_is_told_the_narrowest_first(limited: Limited) -> None:
    await limited.by(
        {"name": "wide", "requests": 100, "per": "1h", "burst": 100},
        {"name": "narrow", "algorithm": "SlidingLog", "requests": 2, "per": "1h"},
        {"name": "quick", "requests": 50, "per": "500ms", "burst": 50},
        {"name": "in-flight", "concurrency": 60},
        {"name": "other", "requests": 1, "per": "1h", "match": [{"path": {"prefix": "/other"}}]},
    )
    answer = await limited.get()
    assert answer.text("ratelimit-policy") == (
        '"narrow";q=2;w=3600, "quick";q=50, "in-flight";q=60;qu="concurrent-requests", "wide";q=100;w=3600'
    )
    assert answer.text("ratelimit") == (
        '"narrow";r=1;t=3600, "quick";r=49;t=1, "in-flight";r=59, "wide";r=99;t=36'
    )


async def test_what_the_application_says_of_its_own_quota_stays(limited: Limited) -> None:
    await limited.by({"name": "all", **ONCE})
    with limited.answering(Send(response(fields=b'RateLimit: "app";r=7;t=1\r\n'))):
        answer = await limited.get()
    told = [value for name, value in answer.fields if name.lower() == b"ratelimit"]
    assert told == [b'"app";r=7;t=1', b'"all";r=0;t=3600']


async def test_the_longest_of_several_refusals_says_when_to_come_back(limited: Limited) -> None:
    await limited.by({"name": "short", "requests": 1, "per": "1m", "burst": 1}, {"name": "long", **ONCE})
    assert (await limited.get()).status == 200
    refused = refusal(await limited.get())
    assert refused.retry_after is not None
    assert HOUR - 60 < refused.retry_after <= HOUR * JITTER
    assert refused.problem["violated-policies"] == [f"test/{limited.policy}/long"]


async def test_a_refusal_looks_as_its_policy_says(limited: Limited) -> None:
    plain = {"status": 503, "problem": False, "headers": "None"}
    await limited.by({"name": "all", **ONCE}, response=plain)
    assert (await limited.get()).status == 200
    refused = await limited.get()
    assert refused.status == 503
    assert refused.text("content-type") == "text/plain; charset=utf-8"
    assert refused.body == f"ratelimit.token policy=test/{limited.policy} limit=all\n".encode()
    assert refused.text("retry-after") is not None
    assert refused.text("ratelimit") is None


async def test_who_is_exempt_is_charged_and_counted_apart(limited: Limited) -> None:
    await limited.by({"name": "all", **ONCE, "burst": 2}, exempt=[{"path": {"exact": "/healthz"}}])
    assert [(await limited.get("/healthz")).status for _ in range(3)] == [200] * 3
    assert await limited.statuses(1) == [429]
    labels = {"policy": f"test/{limited.policy}", "limit": "all"}
    for result, count in (("exempt", 3), ("limited", 1), ("allowed", 0)):
        family = "breakwater_ratelimit_decisions_total"
        await until(measured(limited.sidecar.http, family, count, **labels, result=result))


async def test_all_without_a_verified_identity_are_one_or_none_as_told(limited: Limited) -> None:
    by = {"by": [{"principal": True}], **ONCE}
    await limited.by({"name": "each", **by})
    assert await limited.statuses(2) == [200, 429]
    await limited.by({"name": "each", **by, "onMissing": "Skip"})
    assert await limited.statuses(2) == [200, 200]
    await limited.by({"name": "each", **by, "onMissing": "Refuse"})
    refused = refusal(await limited.get())
    assert (refused.status, refused.retry_after) == (429, None)
