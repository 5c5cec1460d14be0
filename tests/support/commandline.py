"""The command line as a process, against a control plane on loopback."""

import asyncio
import os
import pty
import sys
from collections.abc import Mapping
from dataclasses import dataclass

CODE = "from controlplane.cli.main import run; run()"
TIMEOUT_SECONDS = 120
TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "200", "NO_COLOR": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command printed, and how it ended."""

    code: int
    out: str
    talk: str


async def on_terminal(*words: str, admin: int, **environment: str) -> str:
    """Return what one command writes to a terminal, both streams as they come."""
    ours, theirs = pty.openpty()
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CODE, *words),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **TERMINAL, "BREAKWATER_ADMIN": f"127.0.0.1:{admin}", **environment},
        )
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await child.wait()
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


async def breakwater(*words: str, admin: int) -> Outcome:
    """Return what became of one command asked of the control plane on the `admin` port."""
    return await breakwater_with({"BREAKWATER_ADMIN": f"127.0.0.1:{admin}"}, *words)


async def breakwater_with(environment: Mapping[str, str], *words: str) -> Outcome:
    """Return what became of one command, whatever the environment says that it asks."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CODE, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            out, talk = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    return Outcome(code=child.returncode or 0, out=out.decode(), talk=talk.decode())
