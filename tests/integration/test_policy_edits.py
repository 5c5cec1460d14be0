"""Policies change under live traffic, by files and by the command line; what is wrong changes nothing."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.commandline import breakwater
from tests.support.documents import rate_limit, service, text
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import Sidecar
from tests.support.ports import free_port
from tests.support.rawclient import fetch
from tests.support.readiness import until
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("first", "second", "third")
QUOTA = re.compile(r";q=(\d+)")
NAMESPACE = {"kind": "Namespace", "name": "test"}
BAD = """\
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: quota, namespace: test}
spec:
  targetRefs: [{kind: Namespace, name: test}]
  limits:
  - name: all
    requests: many
    per: 1s
"""
BAD_LINE, BAD_PATH = 8, "spec.limits[0].requests"


@dataclass(frozen=True, slots=True)
class Edited:
    """A fleet, and its members in front of one upstream."""

    fleet: Fleet
    members: tuple[Sidecar, ...]

    async def ask(self) -> list[Message]:
        """Return what each member answers to a request from outside."""
        return [
            await fetch(member.inbound, host=name) for name, member in zip(NAMES, self.members, strict=True)
        ]

    async def quotas(self) -> list[int | None]:
        """Return the quota that each member states on live traffic."""
        found = [QUOTA.search(one.text("ratelimit-policy") or "") for one in await self.ask()]
        return [int(one[1]) if one else None for one in found]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def edited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edited]:
    async with ScriptedUpstream() as upstream, fleet(tmp_path_factory.mktemp("edits")) as running:
        members = [await running.join(f"test/{name}", app_port=upstream.port) for name in NAMES]
        yield Edited(running, tuple(members))


def quota(requests: int) -> str:
    return text(rate_limit("quota", NAMESPACE, limits=[{"name": "all", "requests": requests, "per": "1s"}]))


async def test_an_edit_reaches_live_traffic_everywhere_and_a_deletion_takes_it_back(edited: Edited) -> None:
    before = [(one.status, one.fields, one.body) for one in await edited.ask()]
    for requests in (1000, 2000, 3000):
        await edited.fleet.write("quota", quota(requests))
        assert await edited.quotas() == [requests] * len(NAMES)
    await edited.fleet.remove("quota")
    assert [(one.status, one.fields, one.body) for one in await edited.ask()] == before


async def test_a_bad_edit_changes_nothing_and_says_where_it_is_wrong(edited: Edited) -> None:
    await edited.fleet.write("quota", quota(1000))
    revision = await edited.fleet.revision()
    edited.fleet.draft("quota", BAD)

    async def is_known() -> bool:
        return bool(await problems(edited.fleet))

    await until(is_known)
    (problem,) = await problems(edited.fleet)
    path = str(edited.fleet.policies / "quota.yaml")
    assert (problem["file"], problem["line"], problem["path"]) == (path, BAD_LINE, BAD_PATH)
    assert await edited.quotas() == [1000] * len(NAMES)
    assert await edited.fleet.revision() == revision

    check = await breakwater("check", admin=edited.fleet.plane.admin)
    assert check.code == 1
    assert f"{path}:{BAD_LINE}" in check.out
    assert BAD_PATH in check.out
    validated = await breakwater("policy", "validate", "-f", path, admin=edited.fleet.plane.admin)
    assert validated.code == 1
    assert f"{path}:{BAD_LINE}" in validated.talk

    await edited.fleet.write("quota", quota(1001))
    assert await problems(edited.fleet) == []
    assert await edited.quotas() == [1001] * len(NAMES)
    await edited.fleet.remove("quota")


async def problems(running: Fleet) -> list[dict[str, object]]:
    sources = (await running.ask("GetStatus"))["sources"]
    return [one for source in sources for one in source["problems"]]


async def test_the_command_line_keeps_shows_and_removes_policies(edited: Edited, tmp_path: Path) -> None:
    admin = edited.fleet.plane.admin
    file = tmp_path / "applied.yaml"
    file.write_text(
        text(rate_limit("applied", service("first"), limits=[{"name": "a", "requests": 7, "per": "1s"}]))
    )
    before = await edited.fleet.revision()
    applied = await breakwater("policy", "apply", "-f", str(file), admin=admin)
    assert (applied.code, applied.out.strip()) == (0, "RateLimitPolicy test/applied created")
    await until(edited.fleet.converged(after=before))
    assert await edited.quotas() == [7, None, None]

    shown = await breakwater("policy", "get", "RateLimitPolicy", "test/applied", "-o", "yaml", admin=admin)
    assert shown.code == 0
    assert "requests: 7" in shown.out

    before = await edited.fleet.revision()
    deleted = await breakwater("policy", "delete", "RateLimitPolicy", "test/applied", admin=admin)
    assert deleted.code == 0
    await until(edited.fleet.converged(after=before))
    assert await edited.quotas() == [None] * len(NAMES)
    gone = await breakwater("policy", "get", "RateLimitPolicy", "test/applied", admin=admin)
    assert gone.code == 1


async def test_policies_of_files_are_changed_in_their_files_alone(edited: Edited, tmp_path: Path) -> None:
    admin = edited.fleet.plane.admin
    await edited.fleet.write("quota", quota(1000))
    owner = str(edited.fleet.policies / "quota.yaml")
    deleted = await breakwater("policy", "delete", "RateLimitPolicy", "test/quota", admin=admin)
    assert deleted.code == 1
    assert owner in deleted.talk
    file = tmp_path / "quota.yaml"
    file.write_text(quota(5))
    applied = await breakwater("policy", "apply", "-f", str(file), admin=admin)
    assert applied.code == 1
    assert owner in applied.talk
    assert await edited.quotas() == [1000] * len(NAMES)
    await edited.fleet.remove("quota")


async def test_exit_codes_tell_a_finding_from_bad_words_and_from_silence(edited: Edited) -> None:
    admin = edited.fleet.plane.admin
    assert (await breakwater("check", admin=admin)).code == 0
    assert (await breakwater("policy", "get", "RateLimitPolicy", "test/none", admin=admin)).code == 1
    assert (await breakwater("policy", "apply", admin=admin)).code == 2
    assert (await breakwater("stat", admin=free_port())).code == 3
