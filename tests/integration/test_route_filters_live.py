"""Header filters of routes on live traffic: what upstream and caller see, field by field."""

from collections.abc import Mapping
from typing import Any

import grpc.aio
import pytest

from tests.support.caller import Caller
from tests.support.documents import external, grpc_route, http_route, resilience
from tests.support.framing import Message
from tests.support.grpc_shapes import SERVICE, grpc_shapes
from tests.support.rawclient import RawClient
from tests.support.refusal import reason
from tests.support.upstream import ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")


def modifier(kind: str, **changes: Any) -> Mapping[str, Any]:
    """A filter of that type: `set` and `add` as names to values, `remove` as names."""
    written = {
        name: [{"name": field, "value": value} for field, value in fields.items()]
        if isinstance(fields, Mapping)
        else fields
        for name, fields in changes.items()
    }
    return {"type": kind, kind[0].lower() + kind[1:]: written}


def on_request(**changes: Any) -> Mapping[str, Any]:
    return modifier("RequestHeaderModifier", **changes)


def on_response(**changes: Any) -> Mapping[str, Any]:
    return modifier("ResponseHeaderModifier", **changes)


def own(message: Message) -> list[tuple[bytes, bytes]]:
    """The fields of a message that neither clients nor sidecars add by themselves, sorted."""
    return sorted((name, value) for name, value in message.fields if name.startswith(b"x-my-"))


async def test_a_request_reaches_its_upstream_with_what_the_rule_says(caller: Caller) -> None:
    async with ScriptedUpstream() as one:
        await caller.may_call("edited", one.port)
        changes = on_request(
            remove=["X-My-Gone", "x-my-again"],
            set={"X-My-Set": "new", "x-my-fresh": "1", "x-request-id": "mine"},
            add={"X-My-Added": "2", "x-my-again": "3"},
        )
        rule = {"matches": [{"path": {"value": "/api"}}], "filters": [changes]}
        await caller.fleet.put("edited-route", http_route("edited-route", external("edited"), rule, {}))

        fields = b"x-my-set: a\r\nX-My-Set: b\r\nx-my-gone: c\r\n"
        fields += b"X-MY-ADDED: 1\r\nx-my-again: 0\r\nx-my-kept: k\r\n"
        async with RawClient(caller.sidecar.outbound) as client:
            for path in (b"/api", b"/"):
                await client.send(b"GET " + path + b" HTTP/1.1\r\nHost: edited\r\n" + fields + b"\r\n")
                assert (await client.response()).status == 200
        changed, unchanged = one.requests
        assert own(changed) == [
            (b"x-my-added", b"1"),
            (b"x-my-added", b"2"),
            (b"x-my-again", b"3"),
            (b"x-my-fresh", b"1"),
            (b"x-my-kept", b"k"),
            (b"x-my-set", b"new"),
        ]
        assert changed.values(b"x-request-id") == (b"mine",)
        assert len(own(unchanged)) == 6
        assert len(unchanged.values(b"x-request-id")) == 1


async def test_an_answer_reaches_its_caller_with_what_the_rule_says(caller: Caller) -> None:
    fields = b"X-My-Set: a\r\nx-my-set: b\r\nServer: secret\r\nx-my-added: 1\r\nx-my-kept: k\r\n"
    async with ScriptedUpstream(lambda _: (Send(response(404, fields=fields)),)) as one:
        await caller.may_call("answers", one.port)
        changes = on_response(remove=["server"], set={"x-my-set": "new"}, add={"X-My-Added": "2"})
        rule = {"filters": [changes]}
        await caller.fleet.put("answers-route", http_route("answers-route", external("answers"), rule))

        answer = await caller.get("answers")
        assert answer.status == 404
        assert own(answer) == [
            (b"x-my-added", b"1"),
            (b"x-my-added", b"2"),
            (b"x-my-kept", b"k"),
            (b"x-my-set", b"new"),
        ]
        assert answer.values(b"server") == ()
        assert answer.body == b"ok"


async def test_every_attempt_is_changed_and_no_refusal(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: (Send(response(503)),)) as one:
        await caller.may_call("again", one.port)
        breaker = {"service": {"trip": {"consecutiveFailures": 3}}}
        retry = {"attempts": 2, "when": ["503"], "strategy": "Immediate"}
        policy = resilience("again-policy", external("again"), retry=retry, breaker=breaker)
        filters = [on_request(set={"x-my-set": "1"}), on_response(set={"x-my-set": "2"})]
        route = http_route("again-route", external("again"), {"filters": filters})
        await caller.fleet.put("again-route", policy, route)

        assert own(await caller.get("again")) == [(b"x-my-set", b"2")]
        assert [own(request) for request in one.requests] == [[(b"x-my-set", b"1")]] * 3
        refused = await caller.get("again")
        assert (reason(refused), own(refused)) == ("breaker.open", [])


async def test_calls_of_grpc_are_changed_as_requests_are(caller: Caller) -> None:
    async with grpc_shapes() as app:
        await caller.may_call("edited-calls", app.port, protocol="GRPC")
        filters = [
            on_request(set={"X-Ask": "set"}, add={"x-more": "2"}, remove=["x-gone"]),
            on_response(remove=["x-initial"], add={"x-added": "1"}),
        ]
        match = {"method": {"service": SERVICE, "method": "echo"}}
        rule = {"matches": [match], "filters": filters}
        await caller.fleet.put(
            "edited-calls-route", grpc_route("edited-calls", external("edited-calls"), rule)
        )

        call = await echo(caller, "edited-calls", ("x-ask", "mine"), ("x-gone", "1"), ("x-more", "1"))
        assert "x-gone" not in app.metadata[0]
        assert app.metadata[0]["x-more"] == "2"
        initial = dict(await call.initial_metadata())
        assert ("x-initial" in initial, initial["x-added"]) == (False, "1")
        assert dict(await call.trailing_metadata())["x-asked"] == "set"


async def echo(
    caller: Caller, name: str, *metadata: tuple[str, str]
) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
    """One call of `echo`, done."""
    options = (("grpc.default_authority", f"{name}.test"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{caller.sidecar.outbound}", options=options) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/echo")
        call = method(b"hello", metadata=metadata)
        assert await call == b"hello"
        return call
