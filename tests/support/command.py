"""A program that a test runs to its end."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path


async def output_of(
    command: Sequence[str | Path],
    *,
    failure: type[Exception],
    text: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what a program prints, after handing it a text on standard input.

    Raises:
        Exception: It failed; of the kind `failure`, with what the program said.
    """
    child = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, talk = await child.communicate(text.encode())
    if child.returncode:
        raise failure(talk.decode().strip() or f"{command[0]} ended with {child.returncode}")
    return out.decode()
