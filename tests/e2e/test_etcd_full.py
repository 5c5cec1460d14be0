"""etcd has no space left: writes are refused by name, all else goes on, and space brings all back."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import grpc.aio
import pytest

from controlplane.cli.errors import CommandError, RefusedError
from registry.client import RegistryClient
from registry.config import LEASE_SECONDS_MAX
from registry.model import ServiceName
from tests.support.etcd import Cluster, EtcdError, Member, Options
from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial
from tests.support.readiness import Condition, no_longer, until
from tests.support.registrations import registration

QUOTA_BYTES = 4 << 20
FILLER_BYTES = 100_000
FULL_SECONDS = 15
RECOVERS_SECONDS = 10
PASSING = ServiceName(namespace="test", name="passing")


@pytest.mark.fault("F13 etcd full")
async def test_a_full_store_is_named_and_recovers(tmp_path: Path, judge: Judge) -> None:
    small = Options(quota_bytes=QUOTA_BYTES)
    async with trial(tmp_path, judge, etcd=small) as running, AsyncExitStack() as stack:
        stand, at = running.stand, time.time()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{stand.plane.discovery}")
        registry = RegistryClient(await stack.enter_async_context(channel))
        lease = await registry.register(registration(service=PASSING), ttl_seconds=LEASE_SECONDS_MAX)
        await until(stand.has_endpoint("passing"))
        await fill(stand.etcd.members[0])
        code = await refusal(stand)
        judge.expect("a write is refused as RESOURCE_EXHAUSTED", code, held=code == "RESOURCE_EXHAUSTED")
        listed = len((await stand.plane.ask("ListPolicies"))["policies"])
        judge.expect("reads are answered", f"{listed} policies", held=listed > 0)
        await stand.join(stack, "late", "late", stand.workloads[0].app.port)
        await running.traffic.more(FULL_SECONDS)
        gone = sum(len(events(plane.process, "sidecar gone", since=at)) for plane in stand.planes)
        judge.expect("streams stay up", f"{gone} lost", held=gone == 0)
        await registry.deregister(lease.id)
        await until(no_longer(stand.has_endpoint("passing")))
        judge.expect("who leaves is taken out", "gone", held=True)
        await make_space(stand.etcd)
        began = time.monotonic()
        await until(written(stand), timeout_seconds=3 * RECOVERS_SECONDS)
        await until(stand.enforces(10_002), timeout_seconds=3 * RECOVERS_SECONDS)
        judge.at_most("writes again, nothing restarted", time.monotonic() - began, RECOVERS_SECONDS)
        await until(stand.has_endpoint("late"), timeout_seconds=3 * RECOVERS_SECONDS)
        judge.at_most("who came meanwhile is registered", time.monotonic() - began, RECOVERS_SECONDS)


async def fill(member: Member) -> None:
    """Write until etcd takes no more."""
    while True:
        try:
            await member.ctl("put", "/filler", "x" * FILLER_BYTES)
        except EtcdError:
            return


async def make_space(etcd: Cluster) -> None:
    """Do what etcd's documentation says."""
    await etcd.members[0].compact()
    for member in etcd.members:
        await member.defragment()
    await etcd.members[0].disarm()


async def refusal(stand: Stand) -> str:
    """Return the gRPC code that a write is refused with."""
    try:
        await stand.quota(10_003)
    except RefusedError as error:
        return error.code
    return "OK"


def written(stand: Stand) -> Condition:
    """Return the condition that a policy is taken."""

    async def holds() -> bool:
        try:
            await stand.quota(10_002)
        except CommandError:
            return False
        return True

    return holds
