"""A sidecar that leaves: what others send ends first, while its application may still call."""

import asyncio
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import accesslog
from tests.support.documents import backpressure, external_service, service
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import SIDECAR, Sidecar
from tests.support.metrics import measured
from tests.support.process import Process
from tests.support.rawclient import RawClient, fetch
from tests.support.readiness import answering, listening, no_longer, that, until
from tests.support.refusal import refusal
from tests.support.upstream import OK, ScriptedUpstream, Until


@dataclass(frozen=True, slots=True)
class Beside:
    """A sidecar beside an application whose answers are held back until `answered`, and who `bank` is."""

    fleet: Fleet
    sidecar: Sidecar
    app: ScriptedUpstream
    answered: asyncio.Event

    async def order(self, *flags: str) -> str:
        """Order the drain as a container's hook does; returns what that says."""
        command = (sys.executable, "-m", "sidecar.main", "drain", *flags)
        environment = {"BREAKWATER_ADMIN": f"unix:{self.sidecar.state}/admin.sock"}
        log = self.fleet.scratch / "drain.log"
        async with Process(command, log=log, environment=environment) as process:
            assert await process.wait() == 0, process.output()
        return process.output()

    async def call(self) -> int:
        """Return the status of a call of the application, on a connection of its own."""
        return (await fetch(self.sidecar.outbound, host="bank")).status

    async def refuses(self) -> None:
        """Return once the sidecar takes nothing more of others."""
        await until(no_longer(answering(self.sidecar.http, path="/ready")))
        await until(no_longer(listening(self.sidecar.inbound)))

    @property
    def said(self) -> str:
        """What the sidecar has logged."""
        return self.sidecar.process.output()


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Beside]:
    answered = asyncio.Event()
    async with (
        fleet(tmp_path) as mesh,
        ScriptedUpstream(lambda _: (Until(answered), *OK)) as app,
        ScriptedUpstream() as bank,
    ):
        await mesh.put("bank", external_service("bank", bank.port))
        yield Beside(mesh, await mesh.join("test/app", app_port=app.port), app, answered)


def is_last(answer: Message) -> bool:
    return answer.values(b"connection") == (b"close",)


async def test_an_application_calls_until_the_signal_that_it_has_ended(beside: Beside) -> None:
    sidecar = beside.sidecar
    async with RawClient(sidecar.inbound) as busy, RawClient(sidecar.inbound) as idle:
        await busy.ask(host="app")
        await until(that(lambda: len(beside.app.requests) == 1))
        assert "draining, 1 in flight" in await beside.order("--outbound-until=signal")
        await beside.refuses()
        assert await idle.rest() == b""
        await until(no_longer(beside.fleet.has_endpoint("test/app")))
        assert await beside.call() == 200
        beside.answered.set()
        assert is_last(await busy.response())
        assert await busy.rest() == b""
    assert await beside.call() == 200, "nothing is in flight, and the application is still there"
    sidecar.process.send(signal.SIGTERM)
    assert await sidecar.process.wait() == 0
    assert "drain hastened" not in beside.said


async def test_others_are_served_and_sent_elsewhere_until_they_have_heard(beside: Beside) -> None:
    sidecar = beside.sidecar
    beside.answered.set()
    async with RawClient(sidecar.inbound) as early:
        await early.ask(host="app")
        assert not is_last(await early.response())
        await beside.order("--after=3600", "--outbound-until=signal")
        await until(no_longer(answering(sidecar.http, path="/ready")))
        assert is_last(await fetch(sidecar.inbound, host="app"))
        await early.ask(host="app")
        assert is_last(await early.response())
    sidecar.process.send(signal.SIGTERM)
    assert await sidecar.process.wait() == 0, "whoever has ended need not be waited for"


async def test_an_application_that_ends_together_with_its_sidecar_calls_while_it_is_connected(
    beside: Beside,
) -> None:
    sidecar = beside.sidecar
    async with RawClient(sidecar.outbound) as kept:
        await kept.ask(host="bank")
        assert (await kept.response()).status == 200
        await beside.order("--outbound-until=unused", "--deadline=600")
        sidecar.process.send(signal.SIGTERM)
        await beside.refuses()
        assert await beside.call() == 200
        await kept.ask(host="bank")
        assert not is_last(await kept.response())
    assert await sidecar.process.wait() == 0
    assert "drain hastened" not in beside.said


@pytest.mark.parametrize(
    ("started_with", "order"),
    [("0.2", None), ("0.2", ()), ("3600", ("--deadline=0.2",))],
    ids=["a signal", "an order", "an order that says another"],
)
async def test_what_is_in_flight_is_cut_off_when_its_time_is_over(
    beside: Beside, started_with: str, order: tuple[str, ...] | None
) -> None:
    program = (*SIDECAR, f"--drain-timeout={started_with}")
    sidecar = await beside.fleet.join("test/timed", app_port=beside.app.port, program=program)
    async with RawClient(sidecar.inbound) as busy:
        await busy.ask(host="timed")
        await until(that(lambda: len(beside.app.requests) == 1))
        if order is None:
            sidecar.process.send(signal.SIGTERM)
        else:
            await dataclasses.replace(beside, sidecar=sidecar).order(*order)
        assert await sidecar.process.wait() == 0, sidecar.process.output()


async def test_who_has_not_reached_the_application_by_then_is_told_to_ask_another(beside: Beside) -> None:
    front = backpressure("front", service("queued"), concurrency={"limit": 1}, queue={"capacity": 5})
    await beside.fleet.put("front", front)
    program = (*SIDECAR, "--drain-timeout=1")
    sidecar = await beside.fleet.join("test/queued", app_port=beside.app.port, program=program)
    async with RawClient(sidecar.inbound) as busy, RawClient(sidecar.inbound) as waiting:
        await busy.ask(host="queued")
        await until(that(lambda: len(beside.app.requests) == 1))
        await waiting.ask(method="POST", host="queued")
        await until(measured(sidecar.http, "breakwater_queue_depth", 1, direction="inbound"))
        sidecar.process.send(signal.SIGTERM)
        told = refusal(await waiting.response())
        assert (told.status, told.reason, told.error) == (503, "draining", "destination_unavailable")
        assert (told.problem["reason"], told.retry_after) == ("draining", None)
        line = await accesslog.line(sidecar.process, reason="draining")
        assert (line["status"], line["method"]) == (503, "POST")
    assert await sidecar.process.wait() == 0, sidecar.process.output()
    assert len(beside.app.requests) == 1


async def test_without_more_words_an_order_ends_everything(beside: Beside) -> None:
    async with RawClient(beside.sidecar.outbound) as idle:
        await beside.order()
        assert await idle.rest() == b""
    assert await beside.sidecar.process.wait() == 0
