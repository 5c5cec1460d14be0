"""What the pages of a sidecar say of the application, and what its log is told to hold."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.metrics import scrape
from tests.support.ports import free_port, free_ports
from tests.support.process import Process
from tests.support.readiness import Condition, answering, until
from tests.support.upstream import NO_ANSWER, Close, Script, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = b"""\
# TYPE orders_total counter
orders_total{kind="book"} 3
breakwater_config_stale 77
this line would spoil the page
orders_open NaN
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """Where a sidecar shows its pages, and the application whose metrics it shows."""

    http: int
    app: ScriptedUpstream


@asynccontextmanager
async def started(scratch: Path, *flags: str) -> AsyncIterator[tuple[Process, int]]:
    """Run a sidecar without a control plane; yield it and the port of its pages."""
    inbound, outbound, http = free_ports(3)
    command = (
        *(sys.executable, "-m", "sidecar.main", "--service", "test/app", "--instance", "app"),
        *("--state-dir", str(scratch), "--inbound", f"127.0.0.1:{inbound}"),
        *("--outbound", f"127.0.0.1:{outbound}", "--http", f"127.0.0.1:{http}", *flags),
    )
    async with Process(command, log=scratch / "sidecar.log") as process:
        await process.ready(answering(http, path="/live"))
        yield process, http


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pages]:
    async with (
        ScriptedUpstream() as app,
        started(tmp_path_factory.mktemp("pages"), f"--app-metrics={app.port}/stats?all=1") as (_, http),
    ):
        yield Pages(http, app)


def saying(body: bytes) -> Script:
    return (Send(response(body=body)), Close())


async def test_what_the_application_measures_is_shown_beside_ours(pages: Pages) -> None:
    pages.app.answer = lambda _: saying(HOSTILE)
    page = await scrape(pages.http)
    assert page.total("orders_total", kind="book") == 3
    assert page.total("breakwater_config_stale") == 1
    assert page.total("breakwater_application_scrape_up") == 1
    assert page.total("breakwater_application_scrape_dropped_lines") == 2
    assert pages.app.requests[-1].start_line == b"GET /stats?all=1 HTTP/1.0"


@pytest.mark.parametrize(
    "script",
    [
        NO_ANSWER,
        (Send(response(503)), Close()),
        (Send(b"HTTP/1.0 200 OK\r\n\r\n" + b"a 1\n" * 2_000_000), Close()),
        (Close(),),
    ],
    ids=["silent", "failing", "endless", "closing"],
)
async def test_whatever_the_application_does_ours_are_shown(pages: Pages, script: Script) -> None:
    pages.app.answer = lambda _: script
    page = await scrape(pages.http)
    assert page.total("breakwater_application_scrape_up") == 0
    assert page.total("breakwater_config_stale") == 1
    assert page.total("a") == 0


async def test_the_log_holds_as_much_as_it_is_told(tmp_path: Path) -> None:
    nobody = f"--controlplane=127.0.0.1:{free_port()}"
    async with started(tmp_path, nobody, "--log-level=debug") as (process, _):
        await until(logged(process, '"debug"'))
        assert '"sidecar started"' in process.output()
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    async with started(quiet, nobody, "--log-level=error") as (process, _):
        assert '"sidecar started"' not in process.output()


def logged(process: Process, text: str) -> Condition:
    async def holds() -> bool:
        return text in process.output()

    return holds
