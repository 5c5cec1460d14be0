"""History, differences and rollback, as the command line shows them, over a control plane with files."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.model.codes import Code
from mesh.v1 import admin_pb2
from tests.support.commandline import Outcome, breakwater, on_terminal
from tests.support.control_plane import Plane, policy, running_plane
from tests.support.readiness import until


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    async with running_plane(tmp_path) as plane:
        yield plane


async def run(plane: Plane, *words: str) -> Outcome:
    return await breakwater("policy", *words, admin=plane.bound.admin.port)


async def apply(plane: Plane, *texts: str) -> int:
    manifests = [admin_pb2.Manifest(file="cart.yaml", text=text) for text in texts]
    request = admin_pb2.ApplyPoliciesRequest(manifests=manifests, author="ada")
    return (await plane.admin.ApplyPolicies(request)).revision


async def write(plane: Plane, text: str, revision: int) -> None:
    """Write the only file, and return once the history knows it as `revision`."""
    draft = plane.policies / "file.draft"
    draft.write_text(text)
    draft.replace(plane.policies / "file.yaml")

    async def is_recorded() -> bool:
        answer = await plane.admin.ListRevisions(admin_pb2.ListRevisionsRequest(limit=1))
        return [one.revision for one in answer.revisions] == [revision]

    await until(is_recorded)


async def yaml_of(plane: Plane, name: str) -> str:
    request = admin_pb2.GetPolicyRequest(kind="ResiliencePolicy", namespace="shop", name=name)
    return (await plane.admin.GetPolicy(request)).policy.yaml


async def test_history_tells_who_changed_what_newest_first(plane: Plane) -> None:
    await apply(plane, policy("1s"), policy("1s", name="web"), policy("1s", name="db"))
    await write(plane, policy("1s", name="file"), 2)
    await apply(plane, policy("2s"))
    outcome = await run(plane, "history", "-o", "wide")
    assert (outcome.code, outcome.talk) == (0, "")
    heading, *rows = (line.split() for line in outcome.out.splitlines())
    assert heading == ["REVISION", "AGE", "ORIGIN", "CHANGES", "AUTHOR", "AT"]
    assert [[row[0], *row[2:-1]] for row in rows] == [
        ["r3", "admin", "ResiliencePolicy", "shop/cart", "configured", "ada"],
        ["r2", "file", "ResiliencePolicy", "shop/file", "created", "-"],
        ["r1", "admin", "3", "created", "ada"],
    ]
    newest = json.loads((await run(plane, "history", "-n", "1", "-o", "json")).out)
    assert [(one["revision"], one["author"]) for one in newest["items"]] == [("3", "ada")]


async def test_history_of_nothing_says_how_to_begin(plane: Plane) -> None:
    outcome = await run(plane, "history")
    assert (outcome.code, outcome.out) == (0, "")
    assert "`breakwater policy apply -f FILE` keeps one" in outcome.talk


async def test_diff_shows_what_changed_and_ends_with_1(plane: Plane) -> None:
    for timeout in ("1s", "2s", "3s"):
        await apply(plane, policy(timeout))
    asked = ((), ("r1",), ("3", "r2"))
    newest, span, back = await asyncio.gather(*(run(plane, "diff", *words) for words in asked))
    assert newest.out.splitlines()[:2] == [
        "--- ResiliencePolicy shop/cart (r2)",
        "+++ ResiliencePolicy shop/cart (r3)",
    ]
    for outcome, before, after in ((newest, "2s", "3s"), (span, "1s", "3s"), (back, "3s", "2s")):
        changed = [line for line in outcome.out.splitlines()[2:] if line[0] in "+-"]
        assert (outcome.code, outcome.talk) == (1, "")
        assert changed == [f"-    request: {before}", f"+    request: {after}"]


async def test_diff_without_a_difference_ends_with_0(plane: Plane) -> None:
    await apply(plane, policy("1s"))
    outcome = await run(plane, "diff", "r1", "r1")
    assert (outcome.code, outcome.out, outcome.talk) == (0, "", "")


async def test_diff_of_a_file_shows_what_applying_it_would_change(plane: Plane, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(policy("2s") + "---\n" + policy("1s", name="new"))
    await apply(plane, policy("1s"))
    outcome = await run(plane, "diff", "-f", str(file))
    assert outcome.code == 1
    assert "--- ResiliencePolicy shop/cart (in force)" in outcome.out.splitlines()
    assert "+  name: new" in outcome.out.splitlines()
    assert "request: 1s" in await yaml_of(plane, "cart")
    assert (await run(plane, "apply", "-f", str(file))).code == 0
    again = await run(plane, "diff", "-f", str(file))
    assert (again.code, again.out) == (0, "")


async def test_diff_of_a_bad_file_shows_its_problems(plane: Plane, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text(policy("soon"))
    outcome = await run(plane, "diff", "-f", str(file))
    assert (outcome.code, outcome.out) == (1, "")
    assert "found 'soon'" in outcome.talk
    assert "`breakwater policy validate`" in outcome.talk


async def test_diff_is_coloured_on_a_terminal(plane: Plane) -> None:
    for timeout in ("1s", "2s"):
        await apply(plane, policy(timeout))
    shown = await on_terminal("policy", "diff", admin=plane.bound.admin.port)
    assert "\x1b[31m-    request: 1s" in shown
    assert "\x1b[32m+    request: 2s" in shown
    plain = await on_terminal("policy", "diff", admin=plane.bound.admin.port, NO_COLOR="1")
    assert "\x1b[31m" not in plain


async def test_rollback_is_a_push_that_brings_back_what_was_applied(plane: Plane) -> None:
    await apply(plane, policy("1s"), policy("1s", name="gone"))
    created_at = (await get(plane, "gone")).policy.metadata.created_at
    await apply(plane, policy("2s"), policy("1s", name="new"))
    await plane.admin.DeletePolicy(
        admin_pb2.DeletePolicyRequest(kind="ResiliencePolicy", namespace="shop", name="gone")
    )
    warned = [*absent("cart"), *absent("gone")]
    dry = await run(plane, "rollback", "r1", "--dry-run")
    assert (dry.code, dry.talk.splitlines()) == (0, [*warned, "dry run: nothing was changed"])
    assert "+++ ResiliencePolicy shop/cart (r1)" in dry.out.splitlines()
    assert "request: 2s" in await yaml_of(plane, "cart")
    outcome = await run(plane, "rollback", "r1")
    assert (outcome.code, outcome.talk.splitlines()) == (0, warned)
    assert outcome.out.splitlines() == [
        "ResiliencePolicy shop/cart configured",
        "ResiliencePolicy shop/gone created",
        "ResiliencePolicy shop/new deleted",
        "rolled back to r1 at revision r4",
    ]
    assert (await run(plane, "diff", "r1")).code == 0
    back = await get(plane, "gone")
    assert (back.policy.metadata.created_at, back.revision) == (created_at, 4)
    newest = (await plane.admin.ListRevisions(admin_pb2.ListRevisionsRequest(limit=1))).revisions[0]
    assert (newest.origin, newest.rollback_of) == ("rollback", 1)


def absent(name: str) -> tuple[str, str]:
    """Return what is said of a policy of the first revision, since no service is registered here."""
    place = f"r1:8: ResiliencePolicy shop/{name}: spec.targetRefs[0]"
    hint = Code.TARGET_MISSING.hint
    return f"warning: {place}: Service shop/cart is not there (BW0101)", f"    {hint}"


async def get(plane: Plane, name: str) -> admin_pb2.PolicyStatus:
    request = admin_pb2.GetPolicyRequest(kind="ResiliencePolicy", namespace="shop", name=name)
    return (await plane.admin.GetPolicy(request)).policy


async def test_rollback_leaves_to_files_what_is_theirs_and_names_them(plane: Plane) -> None:
    await write(plane, policy("1s", name="file"), 1)
    await apply(plane, policy("1s"))
    await write(plane, policy("2s", name="file"), 3)
    await apply(plane, policy("2s"))
    outcome = await run(plane, "rollback", "r2")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "ResiliencePolicy shop/cart configured",
        "rolled back to r2 at revision r5",
    ]
    assert f"{plane.policies / 'file.yaml'}:1: ResiliencePolicy shop/file: not rolled back" in outcome.talk
    assert "request: 2s" in await yaml_of(plane, "file")
    again = await run(plane, "rollback", "r2")
    assert "nothing that was applied here differs from r2" in again.talk


async def test_revisions_that_are_not_there_are_told_with_those_that_are(plane: Plane) -> None:
    await apply(plane, policy("1s"))
    asked = (("rollback", "r9"), ("diff", "r9"), ("diff", "r1", "r9"))
    for outcome in await asyncio.gather(*(run(plane, *words) for words in asked)):
        assert (outcome.code, outcome.out) == (1, "")
        assert "expected one of r1 to r1, found r9; `breakwater policy history` lists them" in outcome.talk
