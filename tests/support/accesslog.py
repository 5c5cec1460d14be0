"""The access log of a sidecar, as its standard output holds it."""

import json
from typing import Any

from tests.support.process import Process
from tests.support.readiness import until


def lines(process: Process) -> list[dict[str, Any]]:
    """Return the whole lines written so far, oldest first."""
    return [
        json.loads(line)
        for line in process.output().splitlines(keepends=True)
        if line.startswith("{") and line.endswith("}\n") and '"direction"' in line
    ]


async def line(process: Process, **expected: Any) -> dict[str, Any]:
    """Return the newest line that has all these values, once there is one.

    Raises:
        TimeoutError: None came.
    """

    async def is_written() -> bool:
        return bool(_matching(process, expected))

    await until(is_written)
    return _matching(process, expected)[-1]


def _matching(process: Process, expected: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in lines(process) if expected.items() <= one.items()]
