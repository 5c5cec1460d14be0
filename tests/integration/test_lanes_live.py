"""Lanes of a bulkhead on live traffic: what an inbound request matters, its calls matter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.support.callee import Callee, called
from tests.support.documents import external, external_service, resilience
from tests.support.framing import Message
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.upstream import OK, Script, ScriptedUpstream, Until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLASSES = [{"criticality": "critical", "match": [{"path": {"prefix": "/checkout"}}]}]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def callee(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callee]:
    async with called(tmp_path_factory.mktemp("callee")) as running:
        yield running


def path_of(request: Message) -> str:
    return request.start_line.split(b" ")[1].decode()


async def test_a_freed_permit_goes_to_a_critical_request_first(callee: Callee) -> None:
    answered: list[str] = []
    gates = {path: asyncio.Event() for path in ("/checkout", "/first", "/ordinary", "/critical")}

    def answer(request: Message) -> Script:
        answered.append(path_of(request))
        return (Until(gates[path_of(request)]), *OK)

    callee.app.answer = answer
    async with AsyncExitStack() as calls, ScriptedUpstream(answer) as upstream:
        await callee.admits(classes=CLASSES, concurrency={"limit": 10})
        bulkhead = {"maxConcurrent": 1, "queueTimeout": "60s", "maxQueue": 2, "lanes": {"critical": 100}}
        policy = resilience("laned", external("laned"), bulkhead=bulkhead)
        await callee.fleet.put("laned", external_service("laned", upstream.port), policy)

        async def call(path: str, waiting: int, **headers: str) -> None:
            """Send an outbound request; returns once so many wait."""
            client = await calls.enter_async_context(RawClient(callee.sidecar.outbound))
            await client.ask(path, host="laned", **headers)
            await until(
                measured(callee.sidecar.http, "breakwater_queue_depth", waiting, service="test/laned")
            )

        await callee.ask(calls, "/checkout", traceparent=TRACE)
        await until(that(lambda: answered == ["/checkout"]))
        await call("/first", 0)
        await until(that(lambda: answered[1:] == ["/first"]))
        await call("/ordinary", 1)
        await call("/critical", 2, traceparent=TRACE)
        gates["/first"].set()
        await until(that(lambda: answered[2:] == ["/critical"]))
        gates["/critical"].set()
        await until(that(lambda: answered[3:] == ["/ordinary"]))
        gates["/ordinary"].set()
        gates["/checkout"].set()
    await callee.rests()
