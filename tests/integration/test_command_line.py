"""The command line as people and programs use it, each command a process, against a mesh with traffic."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import yaml

from controlplane.cli.check import FAILED
from tests.support.commandline import Outcome, breakwater, on_terminal
from tests.support.documents import rate_limit, resilience, service
from tests.support.fleet import Fleet, fleet
from tests.support.mesh import Sidecar
from tests.support.ports import free_port
from tests.support.rawclient import fetch
from tests.support.readiness import until
from tests.support.refusal import reason
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT: dict[str, Any] = {"name": "all", "requests": 3, "per": "1h", "burst": 3}
CALL_SECONDS = 0.2
LISTINGS = {
    ("proxy-status",): "SidecarList",
    ("stat",): "TrafficList",
    ("stat", "--outbound"): "TrafficList",
    ("breakers",): "BreakerList",
    ("limits",): "LimitList",
    ("proxy-config", "endpoints"): "EndpointList",
    ("proxy-config", "endpoints", "--service", "test/cart"): "EndpointList",
    ("policy", "get"): "PolicyList",
    ("policy", "history"): "RevisionList",
    ("registry", "services"): "ServiceList",
}
OBJECTS = {
    ("check", "--proxy"): "CheckResult",
    ("version",): "Version",
    ("proxy-status", "test-web"): "Sidecar",
    ("describe", "service", "test/cart"): "EffectivePolicy",
    ("registry", "endpoints", "test/cart"): "Endpoints",
    ("describe", "policy", "RateLimitPolicy", "test/cart"): "PolicyStatus",
    ("explain", "--from", "test/web", "--to", "test/cart"): "Explanation",
}
QUESTIONS = [
    ("proxy-status",),
    ("version",),
    ("breakers", "reset", "test/cart"),
    ("policy", "delete", "Mesh", "default"),
]
MISTAKES = {
    ("chek",): "'check'",
    ("stat", "--outbond"): "--outbound",
    ("stat", "-o", "xml"): "'json'",
    ("stat", "--window", "soon"): "such as 10m",
    ("breakers", "force-open", "test/cart"): "--for",
    ("breakers", "force-open", "test/cart", "--for", "1y"): "such as 10m",
    ("explain", "--from", "a/b"): "--to",
    ("policy", "validate", "-f", "/nowhere.yaml"): "/nowhere.yaml",
    ("policy", "diff", "newest"): "`breakwater policy history`",
    ("policy", "diff", "r1", "-f", "/nowhere.yaml"): "leave one out",
    ("policy", "rollback"): "REV",
}


@dataclass(frozen=True, slots=True)
class Shop:
    """`test/web` calls `test/cart`, which has a breaker and a limit."""

    fleet: Fleet
    web: Sidecar

    async def breakwater(self, *words: str) -> Outcome:
        """Return what became of one command."""
        return await breakwater(*words, admin=self.fleet.plane.admin)

    async def rows(self, *words: str) -> list[list[str]]:
        """Return the cells of what one command shows, whose heading is left out."""
        outcome = await self.breakwater(*words)
        assert (outcome.code, outcome.talk) == (0, "")
        return [line.split() for line in outcome.out.splitlines()[1:]]

    async def document(self, *words: str, form: str = "json") -> dict[str, Any]:
        """Return what one command shows to programs."""
        outcome = await self.breakwater(*words, "-o", form)
        assert (outcome.code, outcome.talk) == (0, "")
        read: dict[str, Any] = json.loads(outcome.out) if form == "json" else yaml.safe_load(outcome.out)
        return read

    async def call(self) -> str | None:
        """Return why `test/web` is not let through to `test/cart`; `None` when it is."""
        return reason(await fetch(self.web.outbound, host="cart"))

    async def keep_calling(self) -> None:
        """Call now and then until cancelled."""
        while True:
            await self.call()
            await asyncio.sleep(CALL_SECONDS)

    async def has_traffic(self) -> bool:
        """Return whether the newest calls are in the window of `stat`, as both ends tell them."""
        asked = [
            await self.fleet.ask("ListTraffic", {"outbound": is_outbound}) for is_outbound in (False, True)
        ]
        return all(one["traffic"] for one in asked)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A mesh in which calls go on, more of them than the limit lets through."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(ScriptedUpstream())
        mesh = await stack.enter_async_context(fleet(tmp_path_factory.mktemp("shop")))
        await mesh.join("test/cart", app_port=app.port)
        web = await mesh.join("test/web", app_port=app.port)
        target = service("cart")
        breaker = {"service": {"trip": {"consecutiveFailures": 100}}}
        await mesh.put("cart", resilience("cart", target, breaker=breaker))
        await mesh.put("limit", rate_limit("cart", target, limits=[LIMIT]))
        running = Shop(mesh, web)
        told = [await running.call() for _ in range(LIMIT["requests"] + 1)]
        assert told == [None, None, None, "ratelimit.token"]
        calling = asyncio.create_task(running.keep_calling())
        await until(running.has_traffic, timeout_seconds=20)
        yield running
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


async def test_check_tells_line_by_line_what_is_sound(shop: Shop) -> None:
    outcome = await shop.breakwater("check", "--proxy")
    assert (outcome.code, outcome.talk) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[:2] == ["control-plane", "-------------"]
    assert "√ registry reachable: sqlite" in lines
    assert lines[lines.index("data-plane") + 2] == "√ 2/2 sidecars connected"
    assert lines[-1] == "Status check results are √"


async def test_check_names_the_next_command_where_nothing_answers() -> None:
    outcome = await breakwater("check", admin=free_port())
    assert outcome.code == 1
    assert f"{FAILED} no control plane answers" in outcome.out
    assert "    start one with `breakwater-controlplane`" in outcome.out
    assert outcome.out.endswith(f"Status check results are {FAILED}\n")


async def test_proxy_status_tells_which_sidecars_have_which_version(shop: Shop) -> None:
    revision = f"r{await shop.fleet.revision()}"
    rows = await shop.rows("proxy-status")
    assert [(row[0], row[1], row[4], row[5], row[6]) for row in rows] == [
        ("test-cart", "test/cart", "SYNCED", revision, "-"),
        ("test-web", "test/web", "SYNCED", revision, "-"),
    ]
    resources = await shop.rows("proxy-status", "test-web")
    assert ["outbound/test/cart", "SYNCED"] in [[row[0], row[-1]] for row in resources]
    assert all(row[1] == row[2] for row in resources)


async def test_proxy_status_of_one_that_is_unknown_is_a_finding(shop: Shop) -> None:
    outcome = await shop.breakwater("proxy-status", "nobody")
    assert (outcome.code, outcome.out) == (1, "")
    assert "`breakwater proxy-status` lists them" in outcome.talk


async def test_stat_tells_what_a_service_sees_and_what_each_caller_sees(shop: Shop) -> None:
    ((name, sidecars, success, *_, limited, shed, opened),) = await shop.rows("stat")
    assert (name, sidecars, success, shed, opened) == ("test/cart", "1", "100.00%", "-", "-")
    assert limited.endswith("/s")
    ((name, peer, sidecars, *_),) = await shop.rows("stat", "--outbound", "test/cart", "--window", "30s")
    assert (name, peer, sidecars) == ("test/cart", "test/web", "1")


async def test_stat_of_a_service_without_traffic_says_so_beside_the_data(shop: Shop) -> None:
    outcome = await shop.breakwater("stat", "cart", "--namespace", "elsewhere")
    assert (outcome.code, outcome.out, outcome.talk) == (0, "", "no traffic in this window\n")


@pytest.mark.parametrize("words", [("stat",), ("limits",), ("breakers",), ("registry", "services")])
async def test_listings_are_of_one_namespace_where_that_is_said(shop: Shop, words: Sequence[str]) -> None:
    all_of_it = await shop.rows(*words, "-n", "test")
    assert all_of_it
    assert len(await shop.rows(*words, "-n", "elsewhere", "-A")) == len(all_of_it)
    outcome = await shop.breakwater(*words, "-n", "elsewhere")
    assert (outcome.code, outcome.out) == (0, "")


async def test_limits_tell_what_is_used(shop: Shop) -> None:
    ((name, target, sidecar, rate, burst, used, _, *counts),) = await shop.rows("limits", "test/cart")
    allowed, limited, exempt, shadow = counts
    assert (name, target, sidecar) == ("test/cart/all", "test/cart", "test-cart")
    assert (rate, burst, used) == ("3/1h", "b3", "100%")
    assert (allowed, exempt, shadow) == ("3", "0", "0")
    assert int(limited) > 0


async def test_a_breaker_is_forced_open_for_a_time_and_given_back(shop: Shop) -> None:
    forced = await shop.rows("breakers", "force-open", "test/cart", "--for", "10m")
    assert [row[:5] for row in forced] == [["test/cart", "-", "-", "test-web", "FORCED_OPEN"]]
    assert await shop.call() == "breaker.forced"
    ((*_, state, _, _, remaining, kind, policy),) = await shop.rows("breakers", "test/cart")
    assert (state, kind, policy) == ("FORCED_OPEN", "ResiliencePolicy", "test/cart")
    assert remaining.startswith(("9m", "10m"))
    reset = await shop.rows("breakers", "reset", "test/cart")
    assert [row[4] for row in reset] == ["CLOSED"]
    assert await shop.call() == "ratelimit.token"


async def test_an_order_beyond_what_may_be_ordered_is_refused(shop: Shop) -> None:
    outcome = await shop.breakwater("breakers", "force-open", "test/cart", "--for", "25h")
    assert (outcome.code, outcome.out) == (1, "")
    assert "24h" in outcome.talk


async def test_version_tells_both_ends(shop: Shop) -> None:
    both = await shop.document("version")
    assert both["client"] == both["controlPlane"] != ""
    alone = await breakwater("version", "--client", admin=free_port())
    assert (alone.code, alone.out) == (0, f"client         {both['client']}\n")


@pytest.mark.parametrize(("words", "kind"), LISTINGS.items(), ids=str)
async def test_listings_have_one_form_for_programs(shop: Shop, words: Sequence[str], kind: str) -> None:
    document = await shop.document(*words)
    assert list(document) == ["apiVersion", "kind", "items"]
    assert (document["apiVersion"], document["kind"]) == ("breakwater.dev/v1alpha1", kind)
    assert document["items"]


@pytest.mark.parametrize(("words", "kind"), OBJECTS.items(), ids=str)
async def test_objects_say_their_version_and_kind_first(shop: Shop, words: Sequence[str], kind: str) -> None:
    document = await shop.document(*words)
    assert list(document.items())[:2] == [("apiVersion", "breakwater.dev/v1alpha1"), ("kind", kind)]


async def test_items_keep_the_names_of_their_fields(shop: Shop) -> None:
    (traffic,) = (await shop.document("stat", "--outbound"))["items"]
    assert set(traffic) == {
        *("service", "peer", "route", "requestsPerSecond", "successRatio", "attemptsPerSecond"),
        *("attemptSuccessRatio", "p50", "p95", "p99", "inFlight", "refusedPerSecond", "sidecars"),
    }
    (breaker,) = (await shop.document("breakers"))["items"]
    assert {"instance", "breaker"} == set(breaker)
    assert {"service", "endpoint", "state", "calls", "failures", "policy"} <= set(breaker["breaker"])
    (limit,) = (await shop.document("limits"))["items"]
    assert {"limit", "capacity", "remaining", "allowed", "limited", "exempt"} <= set(limit["limit"])


async def test_yaml_says_the_same_as_json(shop: Shop) -> None:
    words = ("describe", "policy", "RateLimitPolicy", "test/cart")
    assert await shop.document(*words, form="yaml") == await shop.document(*words)


async def test_names_alone_are_for_scripts(shop: Shop) -> None:
    outcome = await shop.breakwater("proxy-status", "-o", "name")
    assert outcome.out.splitlines() == ["test-cart", "test-web"]


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
async def test_silence_ends_in_status_3_and_the_next_command(words: Sequence[str]) -> None:
    outcome = await breakwater(*words, admin=free_port())
    assert outcome.code == 3
    assert "start one with `breakwater-controlplane` or name another with --admin" in outcome.talk


@pytest.mark.parametrize(("words", "hint"), MISTAKES.items(), ids=str)
async def test_mistakes_end_in_status_2_and_a_hint(words: Sequence[str], hint: str) -> None:
    outcome = await breakwater(*words, admin=free_port())
    assert (outcome.code, outcome.out) == (2, "")
    assert hint in outcome.talk


async def test_colours_are_for_terminals_whose_owner_wants_them(shop: Shop) -> None:
    admin, green = shop.fleet.plane.admin, "\x1b[32mSYNCED"
    assert green in await on_terminal("proxy-status", admin=admin)
    for plain in (
        await on_terminal("proxy-status", admin=admin, NO_COLOR="1"),
        await on_terminal("--no-color", "proxy-status", admin=admin),
        (await shop.breakwater("proxy-status")).out,
    ):
        assert green not in plain
        assert "SYNCED" in plain
