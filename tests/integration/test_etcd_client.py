"""What our client repeats, what it does not, and how a watch goes on: against a server with a script."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.etcd.v1 import etcd_pb2 as pb
from registry.config import EtcdAccess, EtcdLocation
from registry.errors import CompactedError, RevisionMismatchError, StoreUnavailableError
from registry.etcd.client import Client
from registry.etcd.codec import TRANSACTION, transaction_request
from registry.etcd.members import connecting
from registry.etcd.store import open_etcd
from registry.model import LeaseId, Revision
from registry.store import Check, Remove, Write
from tests.support.pki import Authority
from tests.support.ports import free_port
from tests.support.scripted_etcd import NO_LEADER, SILENCE, STALE, ScriptedEtcd, scripted_etcd

AT_7 = pb.ResponseHeader(revision=7)
DONE = pb.TxnResponse(header=AT_7, succeeded=True, responses=[pb.ResponseOp()])
FOUND_9 = pb.RangeResponse(kvs=[pb.KeyValue(key=b"/a", mod_revision=9)])
MISMATCH = pb.TxnResponse(header=AT_7, responses=[pb.ResponseOp(response_range=FOUND_9)])
CREATED = pb.WatchResponse(header=AT_7, created=True)
FORGOTTEN = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"


@pytest.fixture
async def etcd() -> AsyncIterator[ScriptedEtcd]:
    async with scripted_etcd() as script:
        yield script


@pytest.fixture
def access(tmp_path: Path) -> EtcdAccess:
    password = tmp_path / "password"
    password.write_text("secret")
    return EtcdAccess(user="anna", password_file=password)


def put(key: str, revision: int) -> pb.Event:
    return pb.Event(kv=pb.KeyValue(key=key.encode(), mod_revision=revision))


def changed(*events: pb.Event, fragment: bool = False) -> pb.WatchResponse:
    return pb.WatchResponse(header=AT_7, events=events, fragment=fragment)


async def test_write_that_was_refused_is_repeated(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [NO_LEADER, NO_LEADER, DONE]
    async with open_etcd(etcd.location) as store:
        assert await store.put("/a", b"") == 7
    assert len(etcd.called("Txn")) == 3


async def test_write_that_may_have_been_done_is_not_repeated(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [SILENCE, DONE]
    async with open_etcd(etcd.location) as store:
        with pytest.raises(StoreUnavailableError, match="request timed out"):
            await store.put("/a", b"")
    assert len(etcd.called("Txn")) == 1


async def test_write_that_excludes_its_own_repetition_is_repeated(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [SILENCE, DONE]
    async with open_etcd(etcd.location) as store:
        assert await store.put("/a", b"", expect=Revision(5)) == 7


async def test_mismatch_after_an_attempt_nobody_answered_says_that_nobody_knows(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [SILENCE, MISMATCH]
    async with open_etcd(etcd.location) as store:
        with pytest.raises(StoreUnavailableError, match=r"first attempt.*found revision 9"):
            await store.put("/a", b"", expect=Revision(5))


async def test_missing_lease_after_an_attempt_nobody_answered_says_that_nobody_knows(
    etcd: ScriptedEtcd,
) -> None:
    etcd.answers["Txn"] = [SILENCE, replace(SILENCE, details="etcdserver: requested lease not found")]
    async with open_etcd(etcd.location) as store:
        with pytest.raises(StoreUnavailableError, match=r"first attempt.*live lease"):
            await store.put("/a", b"", lease=LeaseId(3), expect=Revision(5))


async def test_mismatch_after_a_refusal_is_a_mismatch(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [NO_LEADER, MISMATCH]
    async with open_etcd(etcd.location) as store:
        with pytest.raises(RevisionMismatchError) as caught:
            await store.put("/a", b"", expect=Revision(5))
    assert caught.value.found == 9


@pytest.mark.parametrize(
    ("action", "revision"),
    [
        (Write(key="/b", value=b""), 5),
        (Remove(key="/b"), 5),
        (Remove(key="/a"), 0),
        (Write(key="/a", value=b""), 0),  # somebody else may have removed it meanwhile
    ],
)
async def test_transaction_whose_checks_may_hold_afterwards_too_is_not_repeated(
    etcd: ScriptedEtcd, action: Write | Remove, revision: int
) -> None:
    etcd.answers["Txn"] = [SILENCE, DONE]
    async with open_etcd(etcd.location) as store:
        with pytest.raises(StoreUnavailableError):
            await store.commit([action], checks=[Check(key="/a", revision=Revision(revision))])


async def test_read_is_repeated(etcd: ScriptedEtcd) -> None:
    etcd.answers["Range"] = [SILENCE, FOUND_9]
    async with open_etcd(etcd.location) as store:
        assert (await store.get("/a")).revision == 9


async def test_listing_goes_on_at_the_revision_of_its_first_page(etcd: ScriptedEtcd) -> None:
    first = pb.RangeResponse(header=AT_7, kvs=[pb.KeyValue(key=b"/a/1", mod_revision=1)], more=True)
    later = pb.ResponseHeader(revision=8)
    second = pb.RangeResponse(header=later, kvs=[pb.KeyValue(key=b"/a/2", mod_revision=2)])
    etcd.answers["Range"] = [first, second]
    async with open_etcd(etcd.location) as store:
        listing = await store.list("/a/")
    assert ([entry.key for entry in listing.entries], listing.revision) == (["/a/1", "/a/2"], 7)
    assert [(request.key, request.revision) for request in etcd.called("Range")] == [
        (b"/a/", 0),
        (b"/a/1\0", 7),
    ]


async def test_lease_that_the_first_attempt_made_is_the_lease(etcd: ScriptedEtcd) -> None:
    exists = replace(SILENCE, details="etcdserver: lease already exists")
    etcd.answers["LeaseGrant"] = [SILENCE, exists]
    async with open_etcd(etcd.location) as store:
        lease = await store.grant(15)
    assert [request.id for request in etcd.called("LeaseGrant")] == [lease.id, lease.id]


async def test_lease_that_the_first_attempt_ended_has_ended(etcd: ScriptedEtcd) -> None:
    etcd.answers["LeaseRevoke"] = [SILENCE, replace(SILENCE, details="etcdserver: requested lease not found")]
    async with open_etcd(etcd.location) as store:
        await store.revoke(LeaseId(1))


async def test_member_that_is_not_there_is_left_for_another(etcd: ScriptedEtcd) -> None:
    etcd.answers["Txn"] = [DONE]
    (endpoint,) = etcd.location.endpoints
    for _ in range(4):  # whichever comes first
        location = replace(etcd.location, endpoints=(f"127.0.0.1:{free_port()}", endpoint))
        async with open_etcd(location) as store:
            await store.put("/a", b"")


async def test_every_call_needs_a_leader(etcd: ScriptedEtcd) -> None:
    etcd.answers["Range"] = [FOUND_9]
    async with open_etcd(etcd.location) as store:
        await store.get("/a")
    assert [metadata["hasleader"] for _, _, metadata in etcd.calls] == ["true"]


async def test_token_that_is_stale_is_renewed_once_for_all_callers(access: EtcdAccess) -> None:
    async with scripted_etcd(access) as etcd:
        etcd.answers["Authenticate"] = [pb.AuthenticateResponse(token=token) for token in ("first", "second")]
        etcd.answers["Txn"] = [DONE, STALE, DONE]
        async with open_etcd(etcd.location) as store:
            await store.put("/a", b"")
            await store.put("/a", b"")
        assert etcd.tokens() == ["first", "first", "second"]
        assert [request.password for request in etcd.called("Authenticate")] == ["secret"] * 2


async def test_call_under_way_outlives_that_its_channel_is_made_anew(tmp_path: Path) -> None:
    ca = Authority(tmp_path / "first").certificate
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        location = EtcdLocation(endpoints=(f"127.0.0.1:{silent.getsockname()[1]}",), access=EtcdAccess(ca=ca))
        async with connecting(location) as members:
            client = Client(members, location.access)
            writing = asyncio.create_task(
                client.call(TRANSACTION, transaction_request((), ()), repeatable=False)
            )
            connection, _ = await asyncio.get_running_loop().sock_accept(silent)
            with connection:
                shutil.copy(Authority(tmp_path / "second").certificate, ca)
                await members.current.refresh()
                with pytest.raises(StoreUnavailableError, match="cancelled"):
                    await writing


async def test_watch_goes_on_past_what_it_gave_out(etcd: ScriptedEtcd) -> None:
    etcd.answers["Range"] = [pb.RangeResponse(header=AT_7)]
    etcd.streams = [
        [CREATED, changed(put("/a", 5)), changed(put("/a", 6), fragment=True), NO_LEADER],
        [CREATED, changed(put("/a", 6), put("/b", 6), fragment=True), changed(put("/a", 7))],
    ]
    async with open_etcd(etcd.location) as store, store.watch("/", Revision(5)) as watch:
        batches = [[(change.key, change.revision) for change in await anext(watch)] for _ in range(2)]
    assert batches == [[("/a", 5)], [("/a", 6), ("/b", 6), ("/a", 7)]]
    assert [request.create_request.start_revision for request in etcd.called("Watch")] == [5, 6]


async def test_watch_is_begun_anew_when_etcd_forgets_the_token(access: EtcdAccess) -> None:
    async with scripted_etcd(access) as etcd:
        etcd.answers["Authenticate"] = [pb.AuthenticateResponse(token=token) for token in ("old", "new")]
        cancelled = pb.WatchResponse(header=AT_7, created=True, canceled=True, cancel_reason=FORGOTTEN)
        etcd.streams = [[cancelled], [CREATED, changed(put("/a", 5))]]
        async with open_etcd(etcd.location) as store, store.watch("/", Revision(5)) as watch:
            assert [change.revision for change in await anext(watch)] == [5]
        assert etcd.tokens() == ["old", "new"]


async def test_watch_on_a_store_that_went_back_has_no_history(etcd: ScriptedEtcd) -> None:
    etcd.answers["Range"] = [pb.RangeResponse(header=pb.ResponseHeader(revision=3))]
    etcd.streams = [[CREATED, changed(put("/a", 5)), NO_LEADER]]
    async with open_etcd(etcd.location) as store, store.watch("/", Revision(5)) as watch:
        await anext(watch)
        with pytest.raises(CompactedError):
            await anext(watch)


async def test_revision_that_comes_again_is_rejected(etcd: ScriptedEtcd) -> None:
    etcd.streams = [[CREATED, changed(put("/a", 5)), changed(put("/a", 5))]]
    async with open_etcd(etcd.location) as store, store.watch("/", Revision(5)) as watch:
        await anext(watch)
        with pytest.raises(CompactedError):
            await anext(watch)
