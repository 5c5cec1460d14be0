"""What a service promises when it registers: it reaches its callers' retries, and people."""

from pathlib import Path

import aiohttp

from tests.support.commandline import breakwater
from tests.support.documents import resilience, service
from tests.support.fleet import fleet
from tests.support.mesh import sidecar
from tests.support.readiness import until
from tests.support.upstream import OK, Script, ScriptedUpstream, Send, response

FAILED: Script = (Send(response(503)),)
PROMISES = (
    "BREAKWATER_OWNER=team-cart",
    "BREAKWATER_CONTRACT_VERSION=1.4",
    "BREAKWATER_IDEMPOTENT=POST",
    "BREAKWATER_DOCUMENTATION=https://docs.example/cart",
)


async def test_a_contract_reaches_retries_and_people(tmp_path: Path) -> None:
    answers = iter((FAILED, OK))
    async with ScriptedUpstream(lambda _: next(answers)) as app, fleet(tmp_path) as mesh:
        await mesh.join("test/cart", app_port=app.port, prefix=("env", *PROMISES))
        web = await mesh.join("test/web", app_port=app.port)
        await mesh.put("cart", resilience("cart", service("cart"), retry={"attempts": 1, "when": ["503"]}))
        async with (
            aiohttp.ClientSession(headers={"Host": "cart"}) as session,
            session.post(f"http://127.0.0.1:{web.outbound}/orders", data=b"one") as answer,
        ):
            assert answer.status == 200, "POST is retried only where the contract says that it may be"
        assert len(app.requests) == 2

        shown = await breakwater("describe", "service", "test/cart", admin=mesh.plane.admin)
        assert shown.out.splitlines()[:2] == [
            "Service test/cart (1 endpoints, 1 healthy)",
            (
                "contract: owner team-cart; version 1.4; idempotent POST; "
                "documentation https://docs.example/cart"
            ),
        ]


async def test_instances_that_disagree_are_shown_with_who_is_believed(tmp_path: Path) -> None:
    async with ScriptedUpstream() as app, fleet(tmp_path) as mesh:
        await mesh.join("test/cart", app_port=app.port, prefix=("env", *PROMISES))
        newer = ("env", *PROMISES, "BREAKWATER_CONTRACT_VERSION=2.0")
        async with sidecar(
            tmp_path, "test/cart", app_port=app.port, discovery=mesh.plane.discovery, name="new", prefix=newer
        ):

            async def are_shown() -> bool:
                shown = await breakwater("registry", "services", admin=mesh.plane.admin)
                return "http:80  2          2        2.0      team-cart  contract" in shown.out

            await until(are_shown)
            shown = await breakwater("describe", "service", "test/cart", admin=mesh.plane.admin)
            assert "CONFLICT  contract: test-cart disagree with new, the newest" in shown.out
