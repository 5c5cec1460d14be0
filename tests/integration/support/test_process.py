"""A program under test starts, is waited for, and always ends."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port, free_ports
from tests.support.process import Process, ProcessFailedError
from tests.support.readiness import listening

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
LISTENER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


async def never() -> bool:
    return False


async def test_a_program_is_ready_once_its_condition_holds(tmp_path: Path) -> None:
    port = free_port()
    async with Process(python(LISTENER, str(port)), log=tmp_path / "log") as process:
        await process.ready(listening(port))
        assert process.is_running
    assert process.child.returncode == -signal.SIGTERM


async def test_both_streams_are_kept_in_order(tmp_path: Path) -> None:
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); print('three')"
    async with Process(python(code), log=tmp_path / "log") as process:
        assert await process.wait() == 0
    assert process.output() == "one\ntwo\nthree\n"


async def test_a_program_that_ends_early_fails_with_what_it_said(tmp_path: Path) -> None:
    async with Process(python("raise SystemExit('no such flag')"), log=tmp_path / "log") as process:
        with pytest.raises(ProcessFailedError, match=r"ended with 1 before it was ready\nno such flag"):
            await process.ready(never)


async def test_a_program_that_is_not_ready_in_time_fails_with_its_log(tmp_path: Path) -> None:
    async with Process(python(STUBBORN), log=tmp_path / "log", grace_seconds=0) as process:
        with pytest.raises(ProcessFailedError, match=r"was not ready within 0\.5 s"):
            await process.ready(never, timeout_seconds=0.5)


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with Process(python(STUBBORN), log=tmp_path / "log", grace_seconds=0.1) as process:

        async def up() -> bool:
            return "up" in process.output()

        await process.ready(up)
        assert await process.stop() == -signal.SIGKILL


async def test_a_killed_program_starts_again_into_the_same_log(tmp_path: Path) -> None:
    async with Process(python("print('hello', flush=True); input()"), log=tmp_path / "log") as process:
        await process.wait()
        first = process.pid
        await process.start()
        await process.wait()
        assert process.pid != first
    assert process.output().count("hello") == 2


def test_ports_given_together_are_distinct() -> None:
    assert len(set(free_ports(50))) == 50
