"""A server that speaks etcd's protocol and answers as the test says."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import grpc.aio

from mesh.etcd.v1 import etcd_pb2 as pb
from registry.config import EtcdAccess, EtcdLocation
from tests.support.grpc_serving import serving

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = dict[str, str]
UNARY: dict[str, dict[str, tuple[Any, Any]]] = {
    "etcdserverpb.KV": {
        "Range": (pb.RangeRequest, pb.RangeResponse),
        "Txn": (pb.TxnRequest, pb.TxnResponse),
    },
    "etcdserverpb.Lease": {
        "LeaseGrant": (pb.LeaseGrantRequest, pb.LeaseGrantResponse),
        "LeaseRevoke": (pb.LeaseRevokeRequest, pb.LeaseRevokeResponse),
    },
    "etcdserverpb.Auth": {"Authenticate": (pb.AuthenticateRequest, pb.AuthenticateResponse)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An answer that is not a success."""

    code: grpc.StatusCode
    details: str


NO_LEADER = Status(code=grpc.StatusCode.UNAVAILABLE, details="etcdserver: no leader")
SILENCE = Status(code=grpc.StatusCode.UNAVAILABLE, details="etcdserver: request timed out")
STALE = Status(code=grpc.StatusCode.UNAUTHENTICATED, details="etcdserver: invalid auth token")


@dataclass(slots=True)
class ScriptedEtcd:
    """What to answer to the next calls of each method, the last answer for ever, and what was called.

    A stream of a watch gets its responses at once and then stays open, unless the last is a `Status`.
    """

    answers: dict[str, list[Any]] = field(default_factory=dict)
    streams: list[list[Any]] = field(default_factory=list)
    calls: list[tuple[str, Any, Metadata]] = field(default_factory=list)
    location: EtcdLocation = field(default_factory=lambda: EtcdLocation(endpoints=()))

    def called(self, method: str) -> list[Any]:
        """The requests to a method."""
        return [request for name, request, _ in self.calls if name == method]

    def tokens(self) -> list[str | None]:
        """The tokens that came with the calls, but for those that asked for one."""
        return [metadata.get("token") for name, _, metadata in self.calls if name != "Authenticate"]

    async def answer(self, method: str, request: Any, context: Context) -> Any:
        """The next answer to a call."""
        self.calls.append((method, request, _metadata(context)))
        script = self.answers[method]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Status):
            await context.abort(answer.code, answer.details)
        return answer

    async def watch(self, requests: AsyncIterator[pb.WatchRequest], context: Context) -> AsyncIterator[Any]:
        """The next stream of a watch."""
        self.calls.append(("Watch", await anext(requests), _metadata(context)))
        for answer in self.streams.pop(0):
            if isinstance(answer, Status):
                await context.abort(answer.code, answer.details)
            yield answer
        async for _ in requests:
            pass


def _metadata(context: Context) -> Metadata:
    return {key: str(value) for key, value in context.invocation_metadata() or ()}


def _handlers(script: ScriptedEtcd) -> Iterator[Any]:
    for service, methods in UNARY.items():
        yield grpc.method_handlers_generic_handler(
            service, {name: _unary(script, name, *types) for name, types in methods.items()}
        )
    watch = grpc.stream_stream_rpc_method_handler(
        script.watch,
        request_deserializer=pb.WatchRequest.FromString,
        response_serializer=pb.WatchResponse.SerializeToString,
    )
    yield grpc.method_handlers_generic_handler("etcdserverpb.Watch", {"Watch": watch})


def _unary(script: ScriptedEtcd, method: str, request: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        partial(script.answer, method),
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )


@asynccontextmanager
async def scripted_etcd(access: EtcdAccess | None = None) -> AsyncIterator[ScriptedEtcd]:
    """Run a server that has nothing to say yet; `location` is where, with this access."""
    script = ScriptedEtcd()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(_handlers(script)))
    async with serving(server) as port:
        script.location = EtcdLocation(endpoints=(f"127.0.0.1:{port}",), access=access or EtcdAccess())
        yield script
