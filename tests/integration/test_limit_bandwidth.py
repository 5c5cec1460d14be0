"""Bytes come no faster than a limit of bandwidth says, whoever sends them, and nothing of them is lost."""

import asyncio
from time import monotonic

import grpc
import pytest

from tests.support.caller import Caller
from tests.support.documents import external, rate_limit
from tests.support.grpcapp import ECHO, grpc_app
from tests.support.limited import Limited
from tests.support.metrics import measured, scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.refusal import refusal
from tests.support.upstream import Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

KIB = 1024
BURST = 64 * KIB
RATE = 256 * KIB
BODY = 192 * KIB
LEAST = (BODY - BURST) / RATE  # seconds: what exceeds the burst has to come first


def bandwidth(direction: str, per: str = "Service") -> dict[str, object]:
    figures = {"bytesPerSecond": "256Ki", "direction": direction, "per": per}
    return {"name": "bytes", "bandwidth": figures}


async def test_an_answer_comes_no_faster_than_it_may(limited: Limited) -> None:
    await limited.by(bandwidth("Response", "Client"))
    with limited.answering(Send(response(body=b"x" * BODY))):
        began = monotonic()
        answer = await limited.get()
        assert monotonic() - began >= LEAST
    assert answer.body == b"x" * BODY


async def test_a_request_is_read_no_faster_than_it_may(limited: Limited) -> None:
    await limited.by(bandwidth("Request"))
    limited.upstream.forget()
    began = monotonic()
    async with RawClient(limited.sidecar.inbound) as client:
        await client.ask(host="limited", method="POST", body="x" * BODY)
        assert (await client.response()).status == 200
    assert monotonic() - began >= LEAST
    assert [len(request.body) for request in limited.upstream.requests] == [BODY]


async def test_all_of_a_service_share_one_bandwidth_in_each_direction(limited: Limited) -> None:
    await limited.by(bandwidth("Both"))
    with limited.answering(Send(response(body=b"x" * BODY))):
        began = monotonic()
        answers = await asyncio.gather(limited.get(), limited.get())
        assert monotonic() - began >= (2 * BODY - BURST) / RATE
    assert [len(answer.body) for answer in answers] == [BODY, BODY]
    labels = {"policy": f"test/{limited.policy}", "limit": "bytes.response", "result": "allowed"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", 2, **labels))


async def test_each_connection_has_a_bandwidth_for_all_it_carries(limited: Limited) -> None:
    figures = {"bytesPerSecond": "1Ki", "direction": "Response", "per": "Connection"}
    await limited.by({"name": "bytes", "bandwidth": figures})
    async with RawClient(limited.sidecar.inbound) as first, RawClient(limited.sidecar.inbound) as second:
        for client in (first, second):  # shared, the second one would wait for a minute
            with limited.answering(Send(response(body=b"x" * BURST))):
                await client.ask(host="limited")
                assert len((await client.response()).body) == BURST
        with limited.answering(Send(response(body=b"x" * KIB))):
            began = monotonic()
            await first.ask(host="limited")
            assert len((await first.response()).body) == KIB
            assert monotonic() - began >= 0.5


async def test_clients_without_a_place_share_one_bandwidth(limited: Limited) -> None:
    figures = {"bytesPerSecond": "1Ki", "direction": "Response", "per": "Client"}
    await limited.by({"name": "bytes", "bandwidth": figures, "maxKeys": 1}, trustedHops=1)
    with limited.answering(Send(response(body=b"x" * BURST))):
        for client in ("192.0.2.1", "192.0.2.2"):
            assert len((await limited.get(x_forwarded_for=client)).body) == BURST
    with limited.answering(Send(response(body=b"x" * KIB))):
        began = monotonic()
        assert len((await limited.get(x_forwarded_for="192.0.2.3")).body) == KIB
        assert monotonic() - began >= 0.5


async def test_clients_without_a_place_are_refused_or_have_no_limit_as_told(limited: Limited) -> None:
    figures = {"bytesPerSecond": "1Ki", "direction": "Response", "per": "Client"}
    limit = {"name": "bytes", "bandwidth": figures, "maxKeys": 1}
    other = {"name": "other", "requests": 1, "per": "1h", "burst": 9}
    await limited.by({**limit, "whenKeysFull": "Refuse"}, other, trustedHops=1)
    with limited.answering(Send(response(body=b"x" * BURST))):
        assert len((await limited.get(x_forwarded_for="192.0.2.1")).body) == BURST
    refused = refusal(await limited.get(x_forwarded_for="192.0.2.2"))
    assert (refused.status, refused.reason, refused.retry_after) == (429, "ratelimit.bandwidth", None)
    assert refused.problem["violated-policies"] == [f"test/{limited.policy}/bytes"]
    labels = {"policy": f"test/{limited.policy}", "limit": "other", "result": "allowed"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", 1, **labels))
    assert await limited.statuses(1, x_forwarded_for="192.0.2.1") == [200]
    await limited.edit({**limit, "whenKeysFull": "Allow"}, other, trustedHops=1)
    with limited.answering(Send(response(body=b"x" * 2 * BURST))):
        assert len((await limited.get(x_forwarded_for="192.0.2.2")).body) == 2 * BURST


async def test_what_is_exempt_is_charged_counted_apart_and_held_up_by_nothing(limited: Limited) -> None:
    figures = {"bytesPerSecond": "1Ki", "direction": "Response"}
    await limited.by({"name": "bytes", "bandwidth": figures}, exempt=[{"path": {"exact": "/free"}}])
    with limited.answering(Send(response(body=b"x" * BODY))):
        assert len((await limited.get("/free")).body) == BODY
    with limited.answering(Send(response(body=b"x" * KIB))):
        began = monotonic()
        assert len((await limited.get()).body) == KIB
        assert monotonic() - began >= 0.5  # what is exempt took all there was, and no more
    labels = {"policy": f"test/{limited.policy}", "limit": "bytes"}
    page = await scrape(limited.sidecar.http)
    for result in ("exempt", "allowed"):
        assert page.total("breakwater_ratelimit_decisions_total", result=result, **labels) == 1


async def test_streams_of_http2_are_held_up_alike(caller: Caller) -> None:
    async with grpc_app() as app:
        await caller.may_call("slow-grpc", app.port, protocol="GRPC")
        policy = rate_limit("slow-grpc", external("slow-grpc"), limits=[bandwidth("Response")])
        await caller.fleet.put("slow-grpc-limits", policy)
        options = (("grpc.default_authority", "slow-grpc"),)
        address = f"127.0.0.1:{caller.sidecar.outbound}"
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ECHO)
            began = monotonic()
            assert await echo(b"x" * BODY, timeout=20) == b"x" * BODY
            assert monotonic() - began >= LEAST - 16 * KIB / RATE  # a frame is passed on whole


async def test_in_shadow_nothing_is_held_up_and_it_is_told(limited: Limited) -> None:
    await limited.by(bandwidth("Response"), mode="Shadow")
    with limited.answering(Send(response(body=b"x" * BODY))):
        for _ in range(3):
            assert len((await limited.get()).body) == BODY
    page = await scrape(limited.sidecar.http)
    labels = {"policy": f"test/{limited.policy}", "limit": "bytes", "result": "shadow"}
    assert page.total("breakwater_ratelimit_decisions_total", **labels) > 0
