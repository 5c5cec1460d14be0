"""CONNECT leads to services of the mesh, by the outbound half alone; what is behind it is no request."""

import pytest

from tests.support.caller import Caller
from tests.support.corpus import Case, read_cases
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.refusal import reason
from tests.support.upstream import ScriptedUpstream, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTS = [case for case in read_cases("requests.txt") if case.row == "connect" and case.accepted]
BEHIND = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n"


def connect(authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


@pytest.mark.parametrize("step_bytes", [None, 1], ids=["at_once", "one_byte"])
async def test_a_tunnel_passes_every_byte_as_it_is(caller: Caller, step_bytes: int | None) -> None:
    name = f"tunnel-{step_bytes or 0}"
    async with ScriptedUpstream() as upstream:
        await caller.may_call(name, upstream.port)
        async with RawClient(caller.sidecar.outbound) as client:
            await client.send(connect(f"{name}:80") + BEHIND, step_bytes=step_bytes)
            established = await client.response()
            assert (established.status, established.fields) == (200, ())
            assert (await client.response()).body == b"ok"
        assert upstream.received == BEHIND


async def test_a_tunnel_outlives_the_time_of_a_request(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: slow(0.6)) as upstream:
        await caller.may_call("lasting", upstream.port, timeouts={"request": "200ms"})
        async with RawClient(caller.sidecar.outbound) as client:
            await client.send(connect("lasting:80") + BEHIND)
            assert [(await client.response()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("case", CONNECTS, ids=[case.name for case in CONNECTS])
async def test_the_inbound_half_opens_no_tunnel(caller: Caller, case: Case) -> None:
    async with RawClient(caller.sidecar.inbound) as client:
        await client.send(case.sent)
        response = await client.response()
        assert (response.status, reason(response)) == (404, "route.none")
        assert await client.rest() == b""


@pytest.mark.parametrize("authority", ["nowhere:80", "127.0.0.1:80", "behind:81"])
async def test_what_is_no_service_is_no_destination(caller: Caller, authority: str) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("behind", upstream.port)
        async with RawClient(caller.sidecar.outbound) as client:
            await client.send(connect(authority) + BEHIND)
            response = await client.response()
            assert (response.status, reason(response)) == (404, "route.none")
            assert await client.rest() == b""
        assert upstream.received == b""
        await caller.fleet.remove("behind")


async def test_what_follows_a_tunnel_that_failed_is_no_request(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("dead", free_port())
        await caller.may_call("behind", upstream.port)
        async with RawClient(caller.sidecar.outbound) as client:
            await client.send(connect("dead:80") + BEHIND)
            response = await client.response()
            assert (response.status, reason(response)) == (503, "upstream.connect")
            assert await client.rest() == b""
        assert upstream.received == b""
        await caller.fleet.remove("behind")
