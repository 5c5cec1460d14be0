"""`breakwater analyze` finds in files and live what `validate` finds, by the same codes."""

import json
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.documents import Document, rate_limit, resilience, service, text
from tests.support.limited import Limited
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRIES = {"timeouts": {"request": "1s", "perTry": "600ms"}, "retry": {"attempts": 1}}
LOST = resilience("lost", service("nobody"), **TRIES)
OTHER = resilience("other", service("nobody"), **TRIES)


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def lost(caller: Caller) -> None:
    await caller.fleet.put("lost", LOST)


def file(folder: Path, *documents: Document) -> str:
    path = folder / "policies.yaml"
    path.write_text(text(*documents), encoding="utf-8")
    return str(path)


async def test_what_is_in_force_is_looked_at_as_a_whole(caller: Caller) -> None:
    found = await breakwater("analyze", admin=caller.fleet.plane.admin)
    assert found.code == 1
    assert (
        "Warning [BW0101] (ResiliencePolicy test/lost) spec.targetRefs[0]: Service test/nobody" in found.out
    )
    assert "Warning [BW0207] (ResiliencePolicy test/lost) spec.timeouts.perTry: " in found.out
    assert "    lower perTry or attempts, or raise request" in found.out.splitlines()


async def test_files_alone_need_no_control_plane(tmp_path: Path) -> None:
    found = await breakwater("analyze", "-f", file(tmp_path, LOST), "-o", "json", admin=1)
    assert found.code == 1
    problems = json.loads(found.out)["problems"]
    assert [(one["code"], one["level"]) for one in problems] == [("BW0207", "Warning")]
    sound = await breakwater(
        "analyze", "-f", file(tmp_path, resilience("sound", service("nobody"), timeouts={})), admin=1
    )
    assert (sound.code, sound.out) == (0, "nothing to mend\n")


async def test_validate_finds_the_same_of_what_would_be_applied(caller: Caller, tmp_path: Path) -> None:
    found = await breakwater(
        "policy", "validate", "-f", file(tmp_path, OTHER), admin=caller.fleet.plane.admin
    )
    assert found.code == 0
    assert "warning: " in found.talk
    assert "Service test/nobody is not there (BW0101)" in found.talk
    assert "(BW0207)" in found.talk


async def test_the_totals_of_a_fleet_are_told(limited: Limited, tmp_path: Path) -> None:
    fleet = limited.caller.fleet
    limits = [
        {"name": "rate", "requests": 100, "per": "1s", "burst": 50},
        {"name": "fleet", "requests": 90, "per": "1s", "scope": "Divided"},
        {"name": "places", "concurrency": 7},
    ]
    policy = rate_limit("totals", service("limited"), limits=limits)
    async with ScriptedUpstream() as app:
        await fleet.join("test/limited", app_port=app.port, name="limited-too")
        told = await breakwater("policy", "validate", "-f", file(tmp_path, policy), admin=fleet.plane.admin)
        assert told.code == 0
        assert "the 2 of test/limited admit 200 per 1s in all (BW0310)" in told.talk
        assert "the 2 of test/limited admit 14 in flight in all (BW0310)" in told.talk
        assert "limits[1]" not in told.talk
        await fleet.put("totals", policy)
        shown = await breakwater("describe", "service", "test/limited", admin=fleet.plane.admin)
    rows = {line.split()[1]: line for line in shown.out.splitlines() if line.startswith("limit ")}
    assert "100/1s b50 per sidecar, 200/1s in all" in rows["test/totals/rate"]
    assert "90/1s b90 divided" in rows["test/totals/fleet"]
    assert "7 in flight per sidecar, 14 in all" in rows["test/totals/places"]
