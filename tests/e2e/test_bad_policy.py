"""A bad policy is refused where it enters, or else by sidecars, which keep what they had."""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mesh.v1 import discovery_pb2, resource_pb2
from tests.support.documents import resilience, service, text
from tests.support.faults.judge import Judge
from tests.support.faults.middleman import middleman
from tests.support.faults.stand import PATIENCE, Stand
from tests.support.faults.trial import trial
from tests.support.mesh import ControlPlane
from tests.support.readiness import Condition, until

DISCOVERY = "/mesh.v1.DiscoveryService/Stream"
MARK_SECONDS = 7
SHOWN_SECONDS = 5
MARKED = {**PATIENCE, "timeouts": {"request": f"{MARK_SECONDS}s"}}
QUOTA = 12_345
BAD = {
    "syntax": "apiVersion: [breakwater.dev",
    "semantics": text(resilience("bad", service("shaken"), timeouts={"request": "-1s"})),
    "unknown field": text(resilience("bad", service("shaken"), timeouts={"reqeust": "1s"})),
}


@pytest.mark.fault("F6 bad policy at the door")
async def test_a_bad_policy_is_refused_where_it_enters(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running:
        stand = running.stand
        before = await stand.revision()
        for what, document in BAD.items():
            (stand.scratch / "policies" / "bad.yaml").write_text(document)
            answer = await stand.plane.ask("ApplyPolicies", {"manifests": [{"text": document}]})
            found = [problem["message"] for problem in answer["problems"]]
            judge.expect(f"{what}: refused, with the reason", found, held=bool(found))
            await until(names_the_problem(stand, found[0]))
        judge.expect("nothing changes", f"revision {before}", held=await stand.revision() == before)
        await stand.apply(resilience("dangling", service("nobody"), timeouts={"request": "1s"}))
        reason = (await condition(stand, "dangling", "Accepted"))["reason"]
        judge.expect("dangling reference: its status says so", reason, held=reason == "TargetNotFound")


@pytest.mark.fault("F6 bad policy forced past")
async def test_sidecars_refuse_what_was_forced_past_the_door(tmp_path: Path, judge: Judge) -> None:
    @asynccontextmanager
    async def door(plane: ControlPlane) -> AsyncIterator[int]:
        async with middleman(plane.discovery, spoil) as port:
            yield port

    async with trial(tmp_path, judge, door=door) as running:
        stand, began = running.stand, time.monotonic()
        await stand.apply(resilience("shaken", service("shaken"), **MARKED))
        await until(shows_rejected(stand))
        judge.at_most("its status shows the rejection", time.monotonic() - began, SHOWN_SECONDS)
        told = await rejections(stand, "web")
        judge.expect("with resource, field and reason", told, held=bool(told))
        await stand.quota(QUOTA)
        await until(stand.enforces(QUOTA))
        judge.expect("others are in force", f"a quota of {QUOTA}", held=True)
        await running.traffic.more(2)
        await stand.apply(resilience("shaken", service("shaken"), **PATIENCE))
        await stand.converge()
        left = await rejections(stand, "web")
        judge.expect("a good one heals it", f"{len(left)} rejections left", held=not left)


def spoil(method: str, message: bytes) -> bytes:
    """Return a response whose settings make no sense wherever the marked deadline is in it."""
    if method != DISCOVERY:
        return message
    response = discovery_pb2.DiscoveryResponse.FromString(message)
    for resource in response.resources:
        if resource.id.type == resource_pb2.RESOURCE_TYPE_OUTBOUND:
            _spoil(resource)
    return response.SerializeToString()


def _spoil(resource: resource_pb2.Resource) -> None:
    outbound = resource_pb2.Outbound.FromString(resource.body)
    for variant in outbound.variants:
        if variant.resilience.timeouts.request.seconds == MARK_SECONDS:
            variant.resilience.timeouts.request.seconds = -MARK_SECONDS
            resource.body = outbound.SerializeToString()
            resource.version = hashlib.sha256(resource.body).hexdigest()[:32]


async def condition(stand: Stand, name: str, kind: str) -> dict[str, Any]:
    status = await policy(stand, name)
    return next(one for one in status["conditions"] if one["type"] == kind)


async def policy(stand: Stand, name: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = (await stand.plane.ask("ListPolicies"))["policies"]
    return next(one for one in listed if one["policy"]["metadata"]["name"] == name)


async def rejections(stand: Stand, instance: str) -> list[str]:
    answers = [await plane.ask("ListSidecars", {"instance": instance}) for plane in stand.planes]
    found = [one for answer in answers for sidecar in answer["sidecars"] for one in sidecar["rejections"]]
    return [f"{one['id']['name']} {one['field']}: {one['reason']}" for one in found]


def names_the_problem(stand: Stand, message: str) -> Condition:
    """Return the condition that the source of files states a problem."""

    async def holds() -> bool:
        sources = (await stand.plane.ask("GetStatus"))["sources"]
        return any(message == problem["message"] for source in sources for problem in source["problems"])

    return holds


def shows_rejected(stand: Stand) -> Condition:
    """Return the condition that the status of the policy counts a sidecar that refused it."""

    async def holds() -> bool:
        return bool(await rejections(stand, "web")) and bool((await policy(stand, "shaken"))["rejected"])

    return holds
