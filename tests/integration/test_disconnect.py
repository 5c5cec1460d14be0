"""Clients that leave at any point, queued or in flight: no permit is lost, and the upstream is let go."""

import asyncio
import random
from typing import Any

import grpc.aio
import pytest

from tests.support.caller import Caller
from tests.support.grpcapp import HOLD, grpc_app
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.upstream import NO_ANSWER, OK, ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 10
CLIENTS = 12
LONGEST_STAY_SECONDS = 0.05
POLICY: dict[str, Any] = {
    "bulkhead": {"maxConcurrent": 3, "maxQueue": 20, "queueTimeout": "60s"},
    "timeouts": {"request": "120s"},
}


async def visit(port: int, host: str, draw: random.Random) -> None:
    """Ask, stay for a moment, and leave by FIN or RST."""
    async with RawClient(port) as client:
        await client.ask(host=host, method="POST", body="x" * draw.randrange(1, 2000))
        await asyncio.sleep(draw.uniform(0, LONGEST_STAY_SECONDS))
        if draw.random() < 0.5:
            client.reset()


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_clients_that_leave_give_back_every_permit(caller: Caller, seed: int) -> None:
    draw, name = random.Random(seed), f"left-{seed}"  # noqa: S311 (instants, no secret)
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        await caller.may_call(name, upstream.port, **POLICY)
        async with asyncio.TaskGroup() as visits:
            for _ in range(CLIENTS):
                visits.create_task(visit(caller.sidecar.outbound, name, draw))
        await caller.rests(name)
        await until(that(lambda: not any(log.is_open and log.received for log in upstream.connections)))
        upstream.answer = lambda _: OK
        answers = await asyncio.gather(*(caller.get(name) for _ in range(CLIENTS)))
        assert [one.status for one in answers] == [200] * CLIENTS


async def test_a_waiter_that_leaves_frees_its_place_at_once(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        bulkhead = {"maxConcurrent": 1, "maxQueue": 1, "queueTimeout": "60s"}
        await caller.may_call("place", upstream.port, bulkhead=bulkhead, timeouts={"request": "120s"})
        async with RawClient(caller.sidecar.outbound) as running:
            await running.ask(host="place")
            await until(that(lambda: len(upstream.requests) == 1))
            for _ in range(5):
                await wait_and_leave(caller, "place")


async def wait_and_leave(caller: Caller, name: str) -> None:
    """Return once a client found a place in the queue, and has left it."""

    async def found_a_place() -> bool:
        async with RawClient(caller.sidecar.outbound, timeout_seconds=0.2) as client:
            await client.ask(host=name)
            try:
                await client.response()
            except TimeoutError:
                return True
            return False

    await until(found_a_place)


async def test_a_cancelled_grpc_call_gives_back_its_permit(caller: Caller) -> None:
    async with grpc_app() as app:
        await caller.may_call("rpc-left", app.port, protocol="GRPC", **POLICY)
        options = (("grpc.default_authority", "rpc-left"),)
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{caller.sidecar.outbound}", options=options
        ) as channel:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(HOLD)
            calls = [ask(b"") for _ in range(CLIENTS)]
            await until(that(lambda: app.calls["Hold"] == 3))
            for one in calls:
                one.cancel()
            await caller.rests("rpc-left")
