"""Routes of consumers on live traffic: two callers of two namespaces, of whom one has routes of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.documents import (
    Document,
    external,
    external_service,
    fault,
    http_route,
    rate_limit,
    service,
)
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import Sidecar
from tests.support.rawclient import RawClient
from tests.support.refusal import reason, refusal
from tests.support.upstream import ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")
TELLS = ("x-by-producer", "x-by-consumer")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Fleet, Sidecar, Sidecar]]:
    """A fleet with the sidecars of `test/caller`, of `web/caller`, and of `test/target`."""
    async with ScriptedUpstream() as app, fleet(tmp_path_factory.mktemp("consumers")) as running:
        ours = await running.join("test/caller", app_port=app.port)
        await running.join("test/target", app_port=app.port)
        yield running, ours, await running.join("web/caller", app_port=app.port)


def telling(name: str, parent: str, namespace: str, header: str, path: str = "/") -> Document:
    """A route for calls of `test/PARENT` under a path, whose requests carry a header that tells of it."""
    rule = {
        "matches": [{"path": {"value": path}}],
        "filters": [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"set": [{"name": header, "value": "true"}]},
            }
        ],
    }
    document = dict(http_route(name, {**external(parent), "namespace": "test"}, rule))
    return {**document, "metadata": {"name": name, "namespace": namespace}}


async def asked(sidecar: Sidecar, path: str = "/", host: str = "shared.test") -> Message:
    async with RawClient(sidecar.outbound) as client:
        await client.ask(path, host=host)
        return await client.response()


async def test_calls_go_by_the_routes_of_their_own_namespace_where_it_has_some(
    mesh: tuple[Fleet, Sidecar, Sidecar],
) -> None:
    running, ours, theirs = mesh
    async with ScriptedUpstream(lambda _: (Send(response()),)) as shared:

        async def met(sidecar: Sidecar) -> list[str]:
            shared.forget()
            assert (await asked(sidecar)).status == 200
            [request] = shared.requests
            return [each for each in TELLS if request.text(each)]

        await running.put("shared", external_service("shared", shared.port))
        assert (await met(ours), await met(theirs)) == ([], [])
        await running.put("producers", telling("api", "shared", "test", "x-by-producer"))
        assert (await met(ours), await met(theirs)) == (["x-by-producer"], ["x-by-producer"])
        await running.put("consumers", telling("api", "shared", "web", "x-by-consumer"))
        assert (await met(ours), await met(theirs)) == (["x-by-producer"], ["x-by-consumer"])

        await running.put("consumers", telling("api", "shared", "web", "x-by-consumer", "/api"))
        refused = await asked(theirs)
        assert (refused.status, reason(refused)) == (404, "route.none")
        assert await met(ours) == ["x-by-producer"]
        await running.remove("consumers")
        assert (await met(ours), await met(theirs)) == (["x-by-producer"], ["x-by-producer"])


async def test_what_is_said_of_a_consumers_route_is_enforced_by_its_callers(
    mesh: tuple[Fleet, Sidecar, Sidecar],
) -> None:
    running, ours, theirs = mesh
    where = {"name": "own", "namespace": "web"}
    named = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "own"}
    rules = ({"name": "slow", "matches": [{"path": {"value": "/slow"}}]}, {"name": "rest"})
    limits = rate_limit(
        "own",
        {**named, "sectionName": "rest"},
        limits=[{"name": "two", "algorithm": "FixedWindow", "requests": 2, "per": "1h"}],
    )
    delayed = fault("own", {**named, "sectionName": "slow"}, percent=100, delay="1ms", expiresAfter="1h")
    parent = {**service("target"), "namespace": "test"}
    await running.put(
        "own", *({**each, "metadata": where} for each in (http_route("own", parent, *rules), limits, delayed))
    )

    answers = [await asked(theirs, host="target.test") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert refusal(answers[-1]).policy == "web/own"
    assert (await asked(theirs, "/slow", host="target.test")).text(
        "breakwater-fault"
    ) == 'delay;policy="web/own"'
    assert [(await asked(ours, host="target.test")).status for _ in range(3)] == [200, 200, 200]
    assert (await asked(ours, "/slow", host="target.test")).text("breakwater-fault") is None
