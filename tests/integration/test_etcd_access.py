"""Who may talk to etcd, and how: certificates, users, and what they may do."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from registry.config import EtcdAccess, EtcdLocation
from registry.errors import StoreRefusedError, StoreUnavailableError
from registry.etcd.store import open_etcd
from registry.model import Revision
from tests.support.etcd import Member, Options, Tls, one_member
from tests.support.pki import Authority

PASSWORD = "correct horse"  # noqa: S105 (of a server that lives for one test)
KEY = "/breakwater/a"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> AsyncIterator[Member]:
    """A member that wants a certificate and a user."""
    tls = Tls(ca=authority.certificate, server=authority.leaf("etcd"), client=authority.leaf("operator"))
    async with one_member(tmp_path_factory.mktemp("etcd"), Options(tls=tls)) as member:
        await member.require_login("breakwater", PASSWORD)
        yield member


@pytest.fixture
def location(guarded: Member, authority: Authority, tmp_path: Path) -> EtcdLocation:
    leaf = authority.leaf("breakwater")
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    return EtcdLocation(
        endpoints=(guarded.endpoint,),
        access=EtcdAccess(
            ca=authority.certificate,
            certificate=leaf.certificate,
            key=leaf.key,
            user="breakwater",
            password_file=password,
        ),
    )


async def test_certificate_and_user_open_everything_of_ours(location: EtcdLocation) -> None:
    async with open_etcd(location) as store:
        lease = await store.grant(60)
        revision = await store.put(KEY, b"1", lease=lease.id)
        assert await store.keep_alive(lease.id) == lease
        async with store.watch("/breakwater/", revision) as batches:
            assert [change.key for change in await anext(batches)] == [KEY]
        assert [entry.key for entry in (await store.list("/breakwater/")).entries] == [KEY]
        await store.revoke(lease.id)


async def test_what_belongs_to_others_stays_closed(location: EtcdLocation) -> None:
    async with open_etcd(location) as store:
        with pytest.raises(StoreRefusedError, match="permission denied"):
            await store.put("/elsewhere", b"")
        with pytest.raises(StoreRefusedError, match="permission denied"):
            async with store.watch("/elsewhere", Revision(1)):
                pass


async def test_wrong_password_is_refused_with_the_flag_to_look_at(
    location: EtcdLocation, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("guess")
    async with open_etcd(location) as store:
        with pytest.raises(StoreRefusedError, match=r"'breakwater'.*--etcd-password-file"):
            await store.get(KEY)


async def test_missing_user_is_refused_with_the_flag_to_give(tmp_path: Path) -> None:
    async with one_member(tmp_path) as member:
        await member.require_login("breakwater", PASSWORD)
        async with open_etcd(EtcdLocation(endpoints=(member.endpoint,))) as store:
            with pytest.raises(StoreRefusedError, match="give --etcd-user"):
                await store.get(KEY)


async def test_user_of_an_etcd_that_wants_none_is_no_problem(etcd: Member, tmp_path: Path) -> None:
    (tmp_path / "password").touch()
    access = EtcdAccess(user="breakwater", password_file=tmp_path / "password")
    async with open_etcd(EtcdLocation(endpoints=(etcd.endpoint,), access=access)) as store:
        await store.put(KEY, b"")


async def test_certificate_alone_says_who_the_user_is(location: EtcdLocation) -> None:
    access = replace(location.access, user="", password_file=None)
    async with open_etcd(replace(location, access=access)) as store:
        await store.put(KEY, b"")


async def test_certificate_of_another_authority_gets_no_answer(
    location: EtcdLocation, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "elsewhere").leaf("breakwater")
    access = replace(location.access, certificate=stranger.certificate, key=stranger.key)
    async with open_etcd(replace(location, access=access)) as store:
        with pytest.raises(StoreUnavailableError):
            await store.get(KEY)


async def test_server_of_another_authority_is_not_talked_to_until_the_file_says_otherwise(
    location: EtcdLocation, authority: Authority, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    shutil.copy(Authority(tmp_path / "elsewhere").certificate, ca)
    async with open_etcd(replace(location, access=replace(location.access, ca=ca))) as store:
        with pytest.raises(StoreUnavailableError, match="handshake failed"):
            await store.get(KEY)
        shutil.copy(authority.certificate, ca)
        await store.put(KEY, b"")
