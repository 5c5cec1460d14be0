"""Every response of the HTTP/1 corpus through a real sidecar: what the caller sees of it.

A refused response is a 502 with a reason, one that is cut or refused late never ends cleanly, and the
connection that it came on is never used again.
"""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.corpus import Case, each, each_half, each_way, read_cases
from tests.support.framing import Message
from tests.support.hop import Hop, final_response
from tests.support.hop import hop as run_hop
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.upstream import OK, Close, Pause, ScriptedUpstream, Send

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = [case for case in read_cases("responses.txt") if case.asked != "CONNECT"]
SURPLUS = [case for case in CASES if case.row == "surplus"]
REFUSED = [case for case in CASES if case.status is not None and not case.is_in_body]
BROKEN_LATE = [
    case for case in CASES if (case.is_in_body or not case.accepted) and case not in REFUSED + SURPLUS
]
SWITCHED = [case for case in CASES if case.accepted and b" 101 " in case.sent]
ACCEPTED = [case for case in CASES if case.accepted and case not in SWITCHED]

WEBSOCKET = (
    b"upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hop]:
    async with run_hop(tmp_path_factory.mktemp("framing")) as running:
        yield running
        running.upstream.answer = lambda _: OK


def request(case: Case) -> bytes:
    connection = WEBSOCKET if case.asked_upgrade else b"close"
    return case.asked.encode() + b" / HTTP/1.1\r\nHost: svc\r\nConnection: " + connection + b"\r\n\r\n"


def last_status(case: Case) -> int:
    return int(re.findall(rb"HTTP/1\.\d (\d{3})", case.sent)[-1])


async def whole_response(client: RawClient, method: str) -> Message | None:
    """Return the final response, or `None` when the connection ended before it was whole."""
    try:
        return await final_response(client, method=method)
    except EOFError:
        return None


async def closed(upstream: ScriptedUpstream) -> None:
    """Return once no connection is open that brought a request."""

    async def holds() -> bool:
        return not any(log.is_open and log.requests for log in upstream.connections)

    await until(holds)


@each_way
@each_half
@each(REFUSED)
async def test_a_response_refused_at_its_head_is_a_502_and_its_connection_closed(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    hop.upstream.answer = lambda _: (Send(case.sent, step_bytes), Pause())
    async with hop.client(half) as client:
        await client.send(request(case))
        response = await final_response(client, method=case.asked)
        assert response.status == 502
        assert b"upstream.protocol" in response.values(b"proxy-status")[0]
    await closed(hop.upstream)


@each_way
@each_half
@each(BROKEN_LATE)
async def test_a_response_broken_after_its_head_never_ends_cleanly(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    hop.upstream.answer = lambda _: (Send(case.sent, step_bytes), Pause(0.05), Close())
    async with hop.client(half) as client:
        await client.send(request(case))
        response = await whole_response(client, case.asked)
        assert response is None or response.status == 502
    await closed(hop.upstream)


@each_way
@each_half
@each(SURPLUS)
async def test_bytes_after_a_response_reach_nobody_and_end_their_connection(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    hop.upstream.answer = lambda _: (Send(case.sent, step_bytes), Pause())
    async with hop.client(half) as client:
        await client.send(request(case))
        await whole_response(client, case.asked)
        assert await client.rest() == b""
    await closed(hop.upstream)


@each_way
@each_half
@each(ACCEPTED)
async def test_a_well_formed_response_arrives_whole(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    hop.upstream.answer = lambda _: (Send(case.sent, step_bytes), Pause(0.05), Close())
    async with hop.client(half) as client:
        await client.send(request(case))
        response = await final_response(client, method=case.asked)
    assert response.status == last_status(case)
    if case.body is not None:
        assert response.body == case.body


@each_way
@each_half
@each(SWITCHED)
async def test_after_a_switch_of_protocols_bytes_pass_as_they_are(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    hop.upstream.answer = lambda _: (Send(case.sent, step_bytes), Close())
    async with hop.client(half) as client:
        await client.send(request(case))
        assert (await client.response()).status == 101
        assert await client.rest() == case.body
