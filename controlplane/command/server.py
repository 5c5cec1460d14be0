"""CommandService: sends commands to sidecars and brings back what became of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import grpc.aio

from controlplane.caller import check_instance
from controlplane.errors import (
    CommandError,
    FailedError,
    ImpersonationError,
    NotAttachedError,
    TooManyCommandsError,
    UnansweredError,
)
from controlplane.metrics import Metrics
from mesh.v1 import command_pb2

if TYPE_CHECKING:
    from typing import TypeAlias

    Context: TypeAlias = grpc.aio.ServicerContext[command_pb2.CommandResult, command_pb2.Command]
    Method: TypeAlias = grpc.RpcMethodHandler[command_pb2.CommandResult, command_pb2.Command]
    Answer: TypeAlias = asyncio.Future[command_pb2.CommandResult]

SERVICE = command_pb2.DESCRIPTOR.services_by_name["CommandService"].full_name

PENDING_MAX = 64
"""Commands that may wait for one sidecar."""

TIMEOUT_SECONDS = 2.0
"""How long a sidecar is waited for."""

_AT_ONCE = 64


@dataclass(slots=True, eq=False)
class _Attached:
    """One sidecar's stream: commands to send, and the answers that are waited for by id."""

    outbox: asyncio.Queue[command_pb2.Command] = field(default_factory=lambda: asyncio.Queue(PENDING_MAX))
    waiting: "dict[int, Answer]" = field(default_factory=dict)

    def settle(self, result: command_pb2.CommandResult) -> None:
        answer = self.waiting.get(result.id)
        if answer and not answer.done():
            answer.set_result(result)

    def close(self) -> None:
        for answer in self.waiting.values():
            answer.cancel()


class CommandServer:
    """The sidecars that can be asked something."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._attached: dict[str, _Attached] = {}
        self._ids = count(1)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def call_all(
        self, instances: Iterable[str], command: command_pb2.Command
    ) -> AsyncIterator[command_pb2.CommandResult]:
        """What each sidecar answers, as it comes; `error` also says why one could not be asked."""
        tasks = [asyncio.ensure_future(self._result(instance, command)) for instance in instances]
        try:
            for task in asyncio.as_completed(tasks):
                yield await task
        finally:
            for task in tasks:
                task.cancel()

    async def call(
        self, instance: str, command: command_pb2.Command, timeout_seconds: float
    ) -> command_pb2.CommandResult:
        """What a sidecar answers to `command`, which this numbers.

        Raises:
            NotAttachedError: the sidecar has no stream.
            TooManyCommandsError: too many wait for it already.
            UnansweredError: it went away, or did not answer within `timeout_seconds`.
            FailedError: it answered that it could not.
        """
        attached = self._attached.get(instance)
        if attached is None:
            raise self._counted("refused", NotAttachedError(instance))
        if len(attached.waiting) >= PENDING_MAX:
            raise self._counted("refused", TooManyCommandsError(instance, PENDING_MAX))
        result = await self._ask(instance, attached, command, timeout_seconds)
        if result.error:
            raise self._counted("failed", FailedError(instance, result.error))
        self._metrics.commands.labels("answered").inc()
        return result

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves CommandService, by hand since its stream is read and written at the same time."""
        attach: Method = grpc.stream_stream_rpc_method_handler(
            self._attach,
            request_deserializer=command_pb2.CommandResult.FromString,
            response_serializer=command_pb2.Command.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler(SERVICE, {"Attach": attach})
        server.add_generic_rpc_handlers((handler,))

    async def _attach(self, results: AsyncIterator[command_pb2.CommandResult], context: "Context") -> None:
        """Serve one sidecar's stream, in place of an earlier one of the same instance."""
        first = await anext(results, None)
        if first is None:
            return
        if not first.instance:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected an instance, found none")
        try:
            check_instance(first.instance)
        except ImpersonationError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        attached = _Attached()
        if earlier := self._attached.get(first.instance):
            earlier.close()
        self._attached[first.instance] = attached
        try:
            # Tells it that it is attached, though nothing is asked yet.
            await context.send_initial_metadata(())
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(_send(attached, context))
                async for result in results:
                    attached.settle(result)
                sending.cancel()
        finally:
            attached.close()
            if self._attached.get(first.instance) is attached:
                del self._attached[first.instance]

    async def _result(self, instance: str, command: command_pb2.Command) -> command_pb2.CommandResult:
        async with self._turns:
            try:
                result = await self.call(instance, command, TIMEOUT_SECONDS)
            except CommandError as error:
                result = command_pb2.CommandResult(error=str(error))
        result.instance = instance
        return result

    async def _ask(
        self, instance: str, attached: _Attached, command: command_pb2.Command, timeout_seconds: float
    ) -> command_pb2.CommandResult:
        numbered = command_pb2.Command(id=next(self._ids))
        numbered.MergeFrom(command)
        answer: Answer = asyncio.get_running_loop().create_future()
        attached.waiting[numbered.id] = answer
        try:
            async with asyncio.timeout(timeout_seconds):
                await attached.outbox.put(numbered)
                await asyncio.wait((answer,))
        except TimeoutError as error:
            raise self._counted("unanswered", UnansweredError(instance)) from error
        finally:
            del attached.waiting[numbered.id]
        if answer.cancelled():
            raise self._counted("unanswered", UnansweredError(instance))
        return answer.result()

    def _counted(self, result: str, error: CommandError) -> CommandError:
        self._metrics.commands.labels(result).inc()
        return error


async def _send(attached: _Attached, context: "Context") -> None:
    while True:
        await context.write(await attached.outbox.get())
