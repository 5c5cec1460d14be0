"""What callers in a mesh get, through their sidecars."""

import aiohttp

from tests.support.mesh import Sidecar
from tests.support.readiness import Condition


async def status_of_a_call(caller: Sidecar, host: str, path: str = "/") -> int:
    """Return the status that a caller gets from a service, by the name that it calls it."""
    url = f"http://127.0.0.1:{caller.outbound}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host}) as answer:
        return answer.status


def answers(caller: Sidecar, host: str, status: int) -> Condition:
    """Return the condition that a caller gets this status from a service."""

    async def holds() -> bool:
        return await status_of_a_call(caller, host) == status

    return holds
