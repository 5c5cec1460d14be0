"""The etcd that tests run elects, survives what is done to it, and refuses whom it should."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.etcd import Cluster, EtcdError, Member, Options, Tls, one_member, three_members
from tests.support.etcd.member import Credentials
from tests.support.pki import Authority
from tests.support.readiness import no_longer, until

SMALL_QUOTA_BYTES = 1 << 20
VALUE_BYTES = 100_000


async def fill(member: Member) -> None:
    for _ in range(2 * SMALL_QUOTA_BYTES // VALUE_BYTES):
        await member.ctl("put", "filler", "x" * VALUE_BYTES)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with three_members(tmp_path) as running:
        yield running


async def test_a_new_test_finds_neither_keys_nor_leases(etcd: Member) -> None:
    await etcd.ctl("lease", "grant", "60")
    await etcd.ctl("put", "name", "value")
    await etcd.wipe()
    assert await etcd.ctl("get", "", "--from-key") == ""
    assert await etcd.leases() == ()


async def test_a_killed_leader_is_replaced_and_comes_back_as_follower(cluster: Cluster) -> None:
    first = await cluster.leader()
    await first.ctl("put", "name", "value")
    await first.process.kill()
    second = await cluster.leader()
    assert second is not first
    assert await second.ctl("get", "name", "--print-value-only") == "value\n"
    await first.process.start()
    await cluster.ready()
    assert first in await cluster.followers()


async def test_a_paused_leader_is_replaced(cluster: Cluster) -> None:
    first = await cluster.leader()
    first.process.pause()
    await until(no_longer(first.leads))
    assert await cluster.leader() is not first
    first.process.resume()
    await cluster.ready()
    assert await cluster.leader() is not first


async def test_a_full_quota_raises_an_alarm_until_it_is_cleared(tmp_path: Path) -> None:
    async with one_member(tmp_path, Options(quota_bytes=SMALL_QUOTA_BYTES)) as member:
        with pytest.raises(EtcdError, match="database space exceeded"):
            await fill(member)
        assert await member.alarms() == ("NOSPACE",)
        await member.compact()
        await member.defragment()
        await member.disarm()
        await member.ctl("put", "name", "value")
        assert await member.alarms() == ()


async def test_a_client_without_the_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    tls = Tls(ca=authority.certificate, server=authority.leaf("etcd"), client=authority.leaf("client"))
    async with one_member(tmp_path, Options(tls=tls)) as member:
        await member.ctl("put", "name", "value")
        stranger = Authority(tmp_path / "elsewhere").leaf("client")
        other = Options(tls=Tls(ca=tls.ca, server=tls.server, client=stranger))
        impostor = replace(member, options=other)
        with pytest.raises(EtcdError, match="deadline exceeded"):
            await impostor.ctl("get", "name", "--command-timeout=1s")


async def test_a_client_that_does_not_log_in_is_refused(tmp_path: Path) -> None:
    async with one_member(tmp_path) as member:
        await member.require_login("breakwater", "secret")
        await member.ctl("put", "name", "value")
        anonymous = replace(member, credentials=Credentials())
        with pytest.raises(EtcdError, match="user name is empty"):
            await anonymous.ctl("get", "name")
