"""The scripted upstream and the raw client do to each other what their scripts say."""

import asyncio

import pytest

from tests.support.rawclient import RawClient
from tests.support.upstream import GARBAGE, NO_ANSWER, OK, RESET_IN_BODY, ScriptedUpstream, slow

GET = b"GET / HTTP/1.1\r\nHost: svc\r\n\r\n"


async def test_every_byte_is_logged_and_each_request_answered() -> None:
    async with ScriptedUpstream() as upstream, RawClient(upstream.port) as client:
        await client.send(GET + GET)
        assert [(await client.response()).status for _ in range(2)] == [200, 200]
    assert upstream.received == GET + GET
    assert len(upstream.requests) == 2


async def test_one_byte_a_write_arrives_as_one_request() -> None:
    async with ScriptedUpstream() as upstream, RawClient(upstream.port) as client:
        await client.send(GET, step_bytes=1)
        assert (await client.response()).body == b"ok"
    assert upstream.received == GET


async def test_connections_have_logs_of_their_own() -> None:
    async with ScriptedUpstream() as upstream:
        for path in (b"/1", b"/2"):
            async with RawClient(upstream.port) as client:
                await client.send(GET.replace(b"/ ", path + b" "))
                await client.response()
    assert [log.requests[0].start_line for log in upstream.connections] == [
        b"GET /1 HTTP/1.1",
        b"GET /2 HTTP/1.1",
    ]


async def test_the_answer_may_depend_on_the_request() -> None:
    async with (
        ScriptedUpstream(lambda request: NO_ANSWER if b"/2" in request.start_line else OK) as upstream,
        RawClient(upstream.port, timeout_seconds=0.2) as client,
    ):
        await client.send(GET)
        assert (await client.response()).status == 200
        await client.send(GET.replace(b"/ ", b"/2 "))
        with pytest.raises(TimeoutError):
            await client.response()


async def test_garbage_is_no_response_and_ends_the_connection() -> None:
    async with ScriptedUpstream(lambda _: GARBAGE) as upstream, RawClient(upstream.port) as client:
        await client.send(GET)
        assert b"this is not HTTP" in await client.rest()


async def test_a_reset_in_the_body_is_seen_as_one() -> None:
    async with ScriptedUpstream(lambda _: RESET_IN_BODY) as upstream, RawClient(upstream.port) as client:
        await client.send(GET)
        with pytest.raises(EOFError):
            await client.response()
        assert client.was_reset


async def test_a_slow_answer_comes_late() -> None:
    async with ScriptedUpstream(lambda _: slow(0.2)) as upstream, RawClient(upstream.port) as client:
        began = asyncio.get_running_loop().time()
        await client.send(GET)
        await client.response()
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_what_is_no_request_is_logged_with_its_cause() -> None:
    async with ScriptedUpstream() as upstream, RawClient(upstream.port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost : svc\r\n\r\n")
        assert await client.rest() == b""
    assert upstream.received.startswith(b"GET")
    assert upstream.connections[0].malformed is not None
