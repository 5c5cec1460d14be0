"""A watch that outlives its streams.

A stream ends when its member stops, loses its leader or forgets the token. The watch then begins another one,
on the next member, one past the last revision that it has given out: so nothing is missed and nothing comes
twice. Before, it asks the cluster how far it is. One that has fallen back behind what was given out already,
as after an older backup was restored, has another history: the watch ends as if its own were compacted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

import grpc.aio
import structlog

from registry.errors import CompactedError
from registry.etcd.client import Client, FailedError, Metadata, cancelled_by_us_alone
from registry.etcd.codec import (
    RANGE,
    WATCH,
    decode_changes,
    newest_request,
    progress_request,
    watch_request,
)
from registry.etcd.verdict import Failure, Verdict, judge
from registry.model import Revision
from registry.progress import Progress

if TYPE_CHECKING:
    from mesh.etcd.v1.etcd_pb2 import Event, WatchResponse
    from registry.etcd.members import Member
    from registry.store import Batch

# etcd says nothing while the watch has still to catch up, so it is asked again.
_ASK_SECONDS: Final = 1.0
# So that a stream which ends as soon as it is open is not opened in a hurry.
_RESUME_SECONDS: Final = 0.1
_ENDED: Final = Failure(verdict=Verdict.UNKNOWN, text="the stream ended")

log = structlog.get_logger()


class EtcdWatch:
    """A `Watch` on a cluster; made by `EtcdStore.watch`."""

    def __init__(self, client: Client, prefix: str, from_revision: Revision) -> None:
        self._client = client
        self._prefix = prefix
        self._next = from_revision
        self._progress = Progress(Revision(from_revision - 1))
        self._call: Any = None
        self._asking = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        """The next changes, whole revisions of them, from whichever stream brings them."""
        self._progress.advance(Revision(self._next - 1))  # whoever asks for more has dealt with those before
        events: list[Event] = []
        while True:
            try:
                response = await self._read()
            except (grpc.aio.AioRpcError, FailedError) as error:
                await self._resume(error)
                events.clear()
                continue
            events += response.events
            if response.fragment:
                continue
            if events:
                return self._give_out(decode_changes(events))
            self._progress.advance(Revision(response.header.revision))

    async def reach(self, revision: Revision) -> None:
        """Returns once whoever iterates has dealt with everything up to `revision`."""
        while not self._progress.has_reached(revision):
            await self._ask()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ASK_SECONDS):
                    await self._progress.reach(revision)

    async def begin(self) -> None:
        """Opens a stream; returns once etcd says that the watch has begun.

        Raises:
            CompactedError: the history needed is gone.
            StoreRefusedError: this user may not watch.
            StoreUnavailableError: no member answers.
        """
        self.end()
        answer = await self._client.attempt(self._open, repeatable=True)
        self._call = answer.result

    def end(self) -> None:
        """Closes the stream."""
        if self._call:
            self._call.cancel()
            self._call = None

    async def _open(self, member: Member, metadata: Metadata) -> Any:
        method: Any = member.channel.stream_stream(WATCH.path, WATCH.encode, WATCH.decode)
        call = method(metadata=metadata)
        try:
            await call.write(watch_request(self._prefix, self._next))
            self._check(await call.read())
        except BaseException:
            call.cancel()
            raise
        return call

    async def _resume(self, lost: Exception) -> None:
        log.info("watch resumes", prefix=self._prefix, revision=self._next, reason=str(lost))
        await asyncio.sleep(_RESUME_SECONDS)
        answer = await self._client.call(RANGE, newest_request(self._prefix), repeatable=True)
        newest = Revision(answer.result.header.revision)
        if newest < self._next - 1:
            raise CompactedError(requested=self._next, compact_revision=Revision(newest + 1))
        await self.begin()

    async def _read(self) -> WatchResponse:
        with cancelled_by_us_alone():
            return self._check(await self._call.read())

    def _check(self, response: Any) -> WatchResponse:
        """The response, unless it says that the stream or the watch has ended."""
        if response is grpc.aio.EOF:
            raise FailedError(_ENDED)
        message: WatchResponse = response
        if not message.canceled:
            return message
        failure = judge(grpc.StatusCode.CANCELLED, message.cancel_reason)
        if message.compact_revision or failure.verdict is Verdict.COMPACTED:
            oldest = message.compact_revision or message.header.revision
            raise CompactedError(requested=self._next, compact_revision=oldest)
        raise FailedError(failure)

    def _give_out(self, changes: Batch) -> Batch:
        if changes[0].revision < self._next:
            raise CompactedError(requested=self._next, compact_revision=changes[0].revision)
        self._next = Revision(changes[-1].revision + 1)
        return changes

    async def _ask(self) -> None:
        # A stream that has just ended cannot be asked; the next one will be.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, FailedError):
            async with self._asking:
                if self._call:
                    with cancelled_by_us_alone():
                        await self._call.write(progress_request())
