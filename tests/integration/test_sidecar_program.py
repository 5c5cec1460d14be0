"""The sidecar's program as a user meets it: settings, start, signals, and the way in for who embeds it."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.mesh import controlplane
from tests.support.mesh import sidecar as beside
from tests.support.ports import free_ports
from tests.support.process import Process
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, answering, no_longer, until
from tests.support.upstream import OK, ScriptedUpstream, Until, slow

EMBEDDED = """
import sys, threading, time
from sidecar import config, proxy

settings = config.read(sys.argv[1:], {})
assert proxy.status() is None
served = threading.Thread(target=proxy.run, args=(settings,))
served.start()
while (status := proxy.status()) is None:
    time.sleep(0.01)
print(status.is_ready, status.is_connected, status.revision)
proxy.drain(1.0)
served.join()
assert proxy.status() is None
"""


def flags(scratch: Path, *, http: int | None = None) -> list[str]:
    """Return good settings of a sidecar without a control plane."""
    inbound, outbound, free = free_ports(3)
    return [
        *("--service", "test/app", "--instance", "app", "--state-dir", str(scratch)),
        *("--app", "127.0.0.1:9", "--inbound", f"127.0.0.1:{inbound}"),
        *("--outbound", f"127.0.0.1:{outbound}", "--http", f"127.0.0.1:{http or free}"),
    ]


def program(scratch: Path, *argv: str) -> Process:
    return Process((sys.executable, "-m", "sidecar.main", *argv), log=scratch / "sidecar.log")


async def test_wrong_settings_are_told_together_with_status_2(tmp_path: Path) -> None:
    async with program(tmp_path, "--service", "app", "--outbound", "nowhere", "--bogus") as process:
        assert await process.wait() == 2
    problems = process.output().splitlines()
    assert [problem.split(": ")[1] for problem in problems] == ["--bogus", "--service", "--outbound"]


async def test_a_port_in_use_is_named_with_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with program(tmp_path, *flags(tmp_path, http=port)) as process:
            assert await process.wait() == 1
    assert f"--http 127.0.0.1:{port}" in process.output()


async def test_who_says_nothing_keeps_nobody_out_who_looks_after_it(tmp_path: Path) -> None:
    settings = flags(tmp_path)
    port = int(settings[-1].rpartition(":")[2])
    lives = answering(port, path="/live")
    async with program(tmp_path, *settings) as process:
        await process.ready(lives)
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        assert await lives()
        assert not any(reader.at_eof() for reader, _ in idle[1:])
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    settings = flags(tmp_path)
    async with program(tmp_path, *settings) as process:
        await process.ready(answering(int(settings[-1].rpartition(":")[2]), path="/live"))
        process.send(number)
        assert await process.wait() == 0
    assert "Traceback" not in process.output()


async def test_a_second_signal_hastens_the_drain(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    async with (
        ScriptedUpstream(lambda _: slow(30)) as upstream,
        controlplane(tmp_path, policies) as plane,
        beside(tmp_path, "test/app", app_port=upstream.port, discovery=plane.discovery) as sidecar,
    ):
        await sidecar.ready()
        async with RawClient(sidecar.inbound) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            await until(reached(upstream))
            sidecar.process.send(signal.SIGTERM)
            await asyncio.sleep(1)
            assert sidecar.process.is_running, "what is in flight has 25 s"
            sidecar.process.send(signal.SIGTERM)
            assert await sidecar.process.wait(timeout_seconds=20) == 0


async def test_an_ordered_drain_goes_on_after_the_signal_that_follows(tmp_path: Path) -> None:
    policies, answered = tmp_path / "policies", asyncio.Event()
    policies.mkdir()
    async with (
        ScriptedUpstream(lambda _: (Until(answered), *OK)) as upstream,
        controlplane(tmp_path, policies) as plane,
        beside(tmp_path, "test/app", app_port=upstream.port, discovery=plane.discovery) as sidecar,
    ):
        await sidecar.ready()
        async with RawClient(sidecar.inbound) as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: app\r\n\r\n")
            await until(reached(upstream))
            async with program(tmp_path, "drain", f"--admin=unix:{sidecar.state}/admin.sock") as order:
                assert await order.wait() == 0
            assert "draining, 1 in flight" in order.output()
            await until(no_longer(answering(sidecar.http, path="/ready")))
            sidecar.process.send(signal.SIGTERM)
            assert sidecar.process.is_running
            answered.set()
            assert (await client.response()).status == 200
            assert await sidecar.process.wait() == 0
    assert "drain hastened" not in sidecar.process.output()


async def test_drain_says_what_is_wrong(tmp_path: Path) -> None:
    nobody = f"unix:{tmp_path}/admin.sock"
    async with program(
        tmp_path, "drain", "--admin=x", "--after=soon", "--deadline=-1", "--http=a"
    ) as process:
        assert await process.wait() == 1
    for problem in (
        "--admin: expected unix:PATH",
        "--after: expected",
        "--deadline: expected",
        "--http: there",
    ):
        assert problem in process.output()
    environment = {"BREAKWATER_ADMIN": nobody}
    command = (sys.executable, "-m", "sidecar.main", "drain")
    async with Process(command, log=tmp_path / "drain.log", environment=environment) as process:
        assert await process.wait() == 1
    assert f"no sidecar drains at {nobody}" in process.output()


async def test_wait_ends_once_the_sidecar_is_ready(tmp_path: Path) -> None:
    policies, asked = tmp_path / "policies", asyncio.Event()
    policies.mkdir()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        writer.close()

    async with controlplane(tmp_path, policies) as plane:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with waiting(tmp_path, port) as early:
                await asyncio.wait_for(asked.wait(), timeout=30)
                assert early.is_running
        async with beside(tmp_path, "test/app", app_port=9, discovery=plane.discovery) as sidecar:
            async with waiting(tmp_path, sidecar.http) as process:
                assert await process.wait() == 0
            await sidecar.ready()


def waiting(scratch: Path, http: int) -> Process:
    command = (sys.executable, "-m", "sidecar.main", "wait", f"--http=127.0.0.1:{http}")
    return Process(command, log=scratch / "wait.log")


async def test_wait_says_what_it_does_not_understand(tmp_path: Path) -> None:
    async with program(tmp_path, "wait", "--inbound=127.0.0.1:1", "--bogus") as process:
        assert await process.wait() == 1
    assert "--bogus" in process.output()
    assert "--inbound: says nothing to `wait`" in process.output()


def reached(upstream: ScriptedUpstream) -> Condition:
    async def holds() -> bool:
        return bool(upstream.requests)

    return holds


async def test_another_thread_can_ask_and_drain_it(tmp_path: Path) -> None:
    command = (sys.executable, "-c", EMBEDDED, *flags(tmp_path))
    async with Process(command, log=tmp_path / "embedded.log") as process:
        assert await process.wait() == 0, process.output()
    assert "False False 0" in process.output()
