"""A service whose limits each test states anew, and what came through them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.support.caller import Caller
from tests.support.cgroup import Cgroup
from tests.support.documents import rate_limit, service
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.mesh import SIDECAR, Sidecar
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, that
from tests.support.upstream import OK, Script, ScriptedUpstream, Step, Until


@dataclass(slots=True)
class Limited:
    """A service behind a sidecar, and the instants at which requests came through."""

    caller: Caller
    sidecar: Sidecar
    upstream: ScriptedUpstream
    arrivals: list[float]
    cgroup: Cgroup
    policies: int = 0

    async def by(self, *limits: dict[str, Any], **spec: Any) -> None:
        """Put these limits in force, in a policy of their own: nothing of them was used before."""
        self.policies += 1
        await self.edit(*limits, **spec)
        self.arrivals.clear()

    async def edit(self, *limits: dict[str, Any], **spec: Any) -> None:
        """Edit the policy in force."""
        await self.caller.fleet.put(
            "limits", rate_limit(self.policy, service("limited"), limits=list(limits), **spec)
        )

    @property
    def policy(self) -> str:
        """The name of the policy in force."""
        return f"limits-{self.policies}"

    @contextmanager
    def answering(self, *script: Step) -> Iterator[None]:
        """Have the application answer so for a while."""
        plainly = self.upstream.answer

        def answer(request: Message) -> Script:
            plainly(request)
            return script

        self.upstream.answer = answer
        yield
        self.upstream.answer = plainly

    def held(self, gate: asyncio.Event) -> AbstractContextManager[None]:
        """Have the application answer once the gate is open."""
        return self.answering(Until(gate), *OK)

    def arrived(self, count: int) -> Condition:
        """Return the condition that so many requests came through."""
        return that(lambda: len(self.arrivals) == count)

    async def get(self, path: str = "/", **headers: str) -> Message:
        """Return the answer to a request from outside."""
        return await fetch(self.sidecar.inbound, path, host="limited", **headers)

    async def statuses(self, count: int, **headers: str) -> list[int]:
        """Return the statuses of so many requests, one after the other."""
        return [(await self.get(**headers)).status for _ in range(count)]

    def left(self, **expected: int) -> Condition:
        """Return the condition that so much is left of each limit; `_` in a name stands for `-`."""
        wanted = {name.replace("_", "-"): left for name, left in expected.items()}

        async def holds() -> bool:
            answer = await self.caller.fleet.ask("ListLimits", {"service": named("test/limited")})
            return wanted == {
                one["limit"]["limit"]: int(one["limit"]["remaining"]) for one in answer["limits"]
            }

        return holds


@asynccontextmanager
async def limiting(caller: Caller) -> AsyncIterator[Limited]:
    """Run the sidecar of `test/limited`, in front of an application that answers 200."""
    arrivals: list[float] = []

    def answer(_: Message) -> Script:
        arrivals.append(monotonic())
        return OK

    async with ScriptedUpstream(answer) as upstream:
        cgroup = Cgroup(caller.fleet.scratch / "cgroup")
        program = (*SIDECAR, *cgroup.flags)
        sidecar = await caller.fleet.join("test/limited", app_port=upstream.port, program=program)
        yield Limited(caller, sidecar, upstream, arrivals, cgroup)
