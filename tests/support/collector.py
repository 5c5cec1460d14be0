"""A collector of spans: takes OTLP over HTTP as its script says, and keeps every span that it took."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mesh.otlp.v1 import export_pb2, trace_pb2
from tests.support.framing import Message
from tests.support.readiness import until
from tests.support.upstream import Script, ScriptedUpstream, Send, response

PATH = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Told:
    """A span with what is said of whoever recorded it."""

    span: trace_pb2.Span
    resource: dict[str, str]

    @property
    def attributes(self) -> dict[str, str | int]:
        """What is said of the span."""
        return _values(self.span.attributes)

    @property
    def kind(self) -> str:
        """The last word of its kind."""
        return trace_pb2.SpanKind.Name(self.span.kind).rpartition("_")[2]


def _values(attributes: object) -> dict[str, str | int]:
    pairs: dict[str, str | int] = {}
    for one in attributes:  # type: ignore[attr-defined]  # repeated fields have no public type
        pairs[one.key] = getattr(one.value, one.value.WhichOneof("value"))
    return pairs


class Collector:
    """What came so far; `statuses` are answered first, then all is taken."""

    def __init__(self) -> None:
        self.answer = b""
        self.statuses: list[int] = []
        self.posts: list[Message] = []
        self.upstream = ScriptedUpstream(self._answer)
        self._taken: list[Message] = []

    @property
    def endpoint(self) -> str:
        """Where control planes post to."""
        return f"http://127.0.0.1:{self.upstream.port}"

    def _answer(self, request: Message) -> Script:
        self.posts.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:  # OK
            self._taken.append(request)
        return (Send(response(status, self.answer)),)

    def spans(self, trace: str) -> list[Told]:
        """The spans of a trace, as they began."""
        found = [told for told in self._all() if told.span.trace_id.hex() == trace]
        return sorted(found, key=lambda told: told.span.start_time_unix_nano)

    async def trace(self, trace: str, count: int) -> list[Told]:
        """The spans of a trace, once there are so many."""

        async def has_come() -> bool:
            return len(self.spans(trace)) >= count

        await until(has_come)
        return self.spans(trace)

    def _all(self) -> list[Told]:
        told = []
        for post in self._taken:
            for spans in export_pb2.ExportTraceServiceRequest.FromString(post.body).resource_spans:
                resource = {key: str(value) for key, value in _values(spans.resource.attributes).items()}
                told += [Told(span, resource) for scope in spans.scope_spans for span in scope.spans]
        return told


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector on a port of its own."""
    collector = Collector()
    async with collector.upstream:
        yield collector
