"""Renews leases over one stream that all of them share."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from registry.etcd.client import Client, FailedError, Metadata
from registry.etcd.codec import KEEP_ALIVE, keep_alive_request
from registry.etcd.verdict import Failure, Verdict, judge
from registry.model import LeaseId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mesh.etcd.v1.etcd_pb2 import LeaseKeepAliveRequest
    from registry.etcd.members import Member

# A stream this far behind is as good as lost; the callers' deadlines end the wait.
_UNSENT_MAX: Final = 10_000


class KeepAlive:
    """The stream that is open, if one is; `tasks` reads it."""

    def __init__(self, client: Client, tasks: asyncio.TaskGroup) -> None:
        self._client = client
        self._tasks = tasks
        self._stream: _Stream | None = None
        self._reader: asyncio.Task[None] | None = None

    async def renew(self, lease_id: LeaseId) -> int:
        """The seconds that the lease lives from now on; 0 if there is no such lease.

        Raises:
            StoreUnavailableError: nobody answers.
        """

        async def attempt(member: Member, metadata: Metadata) -> int:
            return await self._stream_to(member, metadata).renew(lease_id)

        answer = await self._client.attempt(attempt, repeatable=True)
        return answer.result

    def _stream_to(self, member: Member, metadata: Metadata) -> _Stream:
        if self._stream is None or not self._stream.is_usable(member):
            self.close()
            self._stream = _Stream(member, metadata)
            self._reader = self._tasks.create_task(self._stream.run())
        return self._stream

    def close(self) -> None:
        """Ends the stream, and with it the task that reads it."""
        if self._reader:
            self._reader.cancel()


class _Stream:
    """One stream: what is to be sent, and who waits for an answer about which lease."""

    def __init__(self, member: Member, metadata: Metadata) -> None:
        self._member = member
        self._is_open = True
        self._unsent: asyncio.Queue[LeaseKeepAliveRequest | None] = asyncio.Queue(_UNSENT_MAX)
        self._waiting: dict[LeaseId, deque[asyncio.Future[int]]] = defaultdict(deque)
        method: Any = member.channel.stream_stream(KEEP_ALIVE.path, KEEP_ALIVE.encode, KEEP_ALIVE.decode)
        self._call: Any = method(self._requests(), metadata=metadata)

    def is_usable(self, member: Member) -> bool:
        """Whether it is open, and to `member`."""
        return self._is_open and self._member is member

    async def renew(self, lease_id: LeaseId) -> int:
        """The seconds that etcd answers."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        await self._unsent.put(keep_alive_request(lease_id))
        self._waiting[lease_id].append(answer)
        return await answer

    async def run(self) -> None:
        """Hands answers out until the stream ends, and then tells those who still wait."""
        failure = Failure(verdict=Verdict.UNKNOWN, text="the stream that renews leases ended")
        try:
            async for response in self._call:
                self._hand_out(LeaseId(response.id), response.ttl)
        except grpc.aio.AioRpcError as error:
            failure = judge(error.code(), error.details() or "")
        finally:
            self._is_open = False
            self._call.cancel()
            with suppress(asyncio.QueueFull):
                self._unsent.put_nowait(None)
            self._give_up(failure)

    async def _requests(self) -> AsyncIterator[LeaseKeepAliveRequest]:
        """What is to be sent; ends with the stream, or the library would wait for more for ever."""
        while self._is_open and (request := await self._unsent.get()) is not None:
            yield request

    def _hand_out(self, lease_id: LeaseId, ttl_seconds: int) -> None:
        """Answers whoever asked first about the lease; that one may be gone."""
        waiting = self._waiting[lease_id]
        answer = waiting.popleft()
        if not waiting:
            del self._waiting[lease_id]
        if not answer.done():
            answer.set_result(ttl_seconds)

    def _give_up(self, failure: Failure) -> None:
        for waiting in self._waiting.values():
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(FailedError(failure))
        self._waiting.clear()
