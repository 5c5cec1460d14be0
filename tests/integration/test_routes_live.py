"""Routes on live traffic: which rule a request falls under, where that sends it, and in which turns."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.documents import backend, external, http_route
from tests.support.refusal import reason
from tests.support.upstream import Answer, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")


def saying(text: str) -> Answer:
    """An answer of 200 with this body."""
    return lambda _: (Send(response(body=text.encode())),)


async def services(caller: Caller, stack: AsyncExitStack, *names: str) -> list[ScriptedUpstream]:
    """A service of each name, which answers with it."""
    found = [await stack.enter_async_context(ScriptedUpstream(saying(name))) for name in names]
    for name, one in zip(names, found, strict=True):
        await caller.may_call(name, one.port)
        assert (await caller.get(name)).body == name.encode()
        one.forget()
    return found


async def route(caller: Caller, name: str, parent: str, *rules: Mapping[str, Any]) -> None:
    """A route of that name for calls of `parent`, in force."""
    await caller.fleet.put(name, http_route(name, external(parent), *rules))


def prefix(path: str, **match: Any) -> Mapping[str, Any]:
    return {"path": {"type": "PathPrefix", "value": path}, **match}


def exact(path: str) -> Mapping[str, Any]:
    return {"path": {"type": "Exact", "value": path}}


async def test_a_split_is_exact_over_any_turns(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        old, new = await services(caller, stack, "split-old", "split-new")
        split = {"backendRefs": [backend("split-old", 90), backend("split-new", 30)]}
        await route(caller, "split", "split-old", {"matches": [prefix("/api")], **split}, {})

        assert {(await caller.get("split-old")).body for _ in range(8)} == {b"split-old"}
        old.forget()
        answers = [(await caller.get("split-old", "/api/7?page=1")).body for _ in range(40)]
        assert (len(old.requests), len(new.requests)) == (30, 10)
        assert all(answers[at : at + 4].count(b"split-new") == 1 for at in range(37))
        assert {request.start_line.split()[1] for request in new.requests} == {b"/api/7?page=1"}


async def test_what_no_rule_is_for_is_refused_and_comes_nowhere(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = await services(caller, stack, "only-api")
        await route(caller, "only-api", "only-api", {"matches": [prefix("/api")]})

        answer = await caller.get("only-api", "/other")
        assert (answer.status, reason(answer)) == (404, "route.none")
        assert one.requests == ()
        await caller.fleet.remove("only-api")
