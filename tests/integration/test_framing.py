"""Every request of the HTTP/1 corpus through a real sidecar, judged by what a byte-logging upstream saw.

All at once as well as one byte a write; into the sidecar's inbound half, where the upstream is its
application, and into the outbound one, where it is a service called `svc`.
"""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.corpus import Case, each, each_half, each_way, read_cases
from tests.support.hop import Hop, final_response
from tests.support.hop import hop as run_hop
from tests.support.readiness import until
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = read_cases("requests.txt")
REFUSED = [case for case in CASES if case.status is not None and not case.is_in_body]
REFUSED_IN_BODY = [case for case in CASES if case.is_in_body]
CUT = [case for case in CASES if case.status is None and not case.accepted]
HOST_IS_SVC = re.compile(rb"\r\nhost:[ \t]*svc(:80)?[ \t]*\r\n", re.IGNORECASE)
ACCEPTED = [
    pytest.param(half, case, id=f"{half}-{case.name}")
    for half in ("inbound", "outbound")
    for case in CASES
    if case.accepted and not case.sent.startswith(b"CONNECT")
    if half == "inbound" or HOST_IS_SVC.search(case.sent)
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hop]:
    async with run_hop(tmp_path_factory.mktemp("framing")) as running:
        yield running


@each_way
@each_half
@each(REFUSED)
async def test_a_request_refused_at_its_head_reaches_nobody(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    async with hop.client(half) as client:
        await client.send(case.sent, step_bytes=step_bytes)
        assert (await final_response(client)).status == case.status
        assert await client.rest() == b""
    assert hop.upstream.received == b""


@each_way
@each_half
@each(REFUSED_IN_BODY)
async def test_a_request_refused_in_its_body_stays_visibly_incomplete(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    async with hop.client(half) as client:
        await client.send(case.sent, step_bytes=step_bytes)
        assert (await final_response(client)).status == case.status
        assert await client.rest() == b""
    await ended_incomplete(hop.upstream)


@each_way
@each_half
@each(CUT)
async def test_a_request_cut_by_its_sender_stays_visibly_incomplete(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    async with hop.client(half) as client:
        await client.send(case.sent, step_bytes=step_bytes)
        client.finish()
        assert not (await client.rest()).startswith(b"HTTP/1.1 2")
    await ended_incomplete(hop.upstream)


@each_way
@pytest.mark.parametrize(("half", "case"), ACCEPTED)
async def test_a_well_formed_request_arrives_once_and_whole(
    hop: Hop, half: str, case: Case, step_bytes: int | None
) -> None:
    async with hop.client(half) as client:
        await client.send(case.sent, step_bytes=step_bytes)
        statuses = [(await final_response(client)).status for _ in range(case.accepted)]
    assert statuses == [200] * case.accepted
    seen = hop.upstream.requests
    assert len(seen) == case.accepted
    assert sum(request.length for request in seen) == len(hop.upstream.received)
    if case.body is not None:
        assert seen[-1].body == case.body


async def ended_incomplete(upstream: ScriptedUpstream) -> None:
    """Return once no connection hangs in the middle of a request, none having brought a whole one."""

    async def no_remnant() -> bool:
        return not any(log.is_open and log.received for log in upstream.connections)

    await until(no_remnant)
    assert upstream.requests == ()
    assert [log.malformed for log in upstream.connections if log.malformed is not None] == []
