"""Watches that no sidecar ever goes back to an older revision of the policies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from mesh.v1 import sidecar_admin_pb2, sidecar_admin_pb2_grpc
from tests.support.admin_socket import admin_socket
from tests.support.faults.stand import Stand

PERIOD_SECONDS = 0.25
ASK_SECONDS = 1


@dataclass(slots=True)
class Versions:
    """The newest revision seen of each sidecar, how often each was asked, and every step back."""

    newest: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    steps_back: list[str] = field(default_factory=list)

    def see(self, instance: str, revision: int) -> None:
        """Take note of what a sidecar applies."""
        self.asked += 1
        before = self.newest.get(instance, 0)
        if revision < before:
            self.steps_back.append(f"{instance} from {before} to {revision}")
        self.newest[instance] = revision

    def __str__(self) -> str:
        return f"{'; '.join(self.steps_back) or 'none'} in {self.asked} looks"


@asynccontextmanager
async def versions(stand: Stand) -> AsyncIterator[Versions]:
    """Look at every sidecar four times a second until the block ends; one that is down is not looked at."""
    seen = Versions()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        watching = [
            tasks.create_task(_watch(await stack.enter_async_context(admin_socket(one.state)), seen))
            for one in stand.sidecars
        ]
        try:
            yield seen
        finally:
            for task in watching:
                task.cancel()


async def _watch(channel: grpc.aio.Channel, seen: Versions) -> None:
    stub = sidecar_admin_pb2_grpc.SidecarAdminServiceStub(channel)
    request = sidecar_admin_pb2.GetConfigurationRequest()
    while True:
        try:
            answer = await stub.GetConfiguration(request, timeout=ASK_SECONDS)
        except grpc.aio.AioRpcError:
            pass  # it is down, as the test wants it
        else:
            seen.see(answer.instance, answer.revision)
        await asyncio.sleep(PERIOD_SECONDS)
