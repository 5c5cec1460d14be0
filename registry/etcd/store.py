"""The store on an etcd cluster."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from registry.errors import KeyNotFoundError, LeaseNotFoundError, StoreError, StoreUnavailableError
from registry.etcd.client import Client, NotDoneError
from registry.etcd.codec import (
    GRANT,
    RANGE,
    REVOKE,
    TRANSACTION,
    decode_entries,
    decode_mismatch,
    get_request,
    grant_request,
    page_request,
    revoke_request,
    transaction_request,
)
from registry.etcd.keepalive import KeepAlive
from registry.etcd.members import connecting
from registry.etcd.verdict import Verdict
from registry.etcd.watch import EtcdWatch
from registry.model import Lease, LeaseId, Revision
from registry.store import ABSENT, Entry, Listing, Remove, Write, checking, in_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mesh.etcd.v1.etcd_pb2 import TxnResponse
    from registry.config import EtcdLocation
    from registry.store import Action, Check

# Bounds what one answer can hold.
_PAGE_ENTRIES: Final = 300
# A listing of many pages begins again when a compaction overtakes it.
_LISTINGS_MAX: Final = 3


class EtcdStore:
    """A `Store` on a cluster; made by `open_etcd`."""

    restores_leases = False

    def __init__(self, client: Client, keep_alive: KeepAlive) -> None:
        self._client = client
        self._keep_alive = keep_alive

    async def get(self, key: str) -> Entry:
        """The entry under `key`, as of now, or `KeyNotFoundError`."""
        answer = await self._client.call(RANGE, get_request(key), repeatable=True)
        entries = decode_entries(answer.result)
        if not entries:
            raise KeyNotFoundError(key)
        return entries[0]

    async def list(self, prefix: str) -> Listing:
        """Every entry whose key begins with `prefix`, as of one revision."""
        for _ in range(_LISTINGS_MAX):
            try:
                return await self._list(prefix)
            except NotDoneError as error:
                reason = str(error)
        raise StoreUnavailableError(f"expected to list {prefix}, found {reason} each time")

    async def put(
        self,
        key: str,
        value: bytes,
        *,
        lease: LeaseId | None = None,
        expect: Revision | None = None,
    ) -> Revision:
        """The revision that wrote `value`, if the entry is as expected."""
        return await self.commit([Write(key=key, value=value, lease=lease)], checks=checking(key, expect))

    async def delete(self, key: str, *, expect: Revision | None = None) -> Revision | None:
        """The revision that removed the entry, if it is as expected and there was one."""
        response = await self._transact([Remove(key=key)], checking(key, expect))
        removed = response.responses[0].response_delete_range.deleted
        return Revision(response.header.revision) if removed else None

    async def commit(self, actions: Sequence[Action], *, checks: Sequence[Check] = ()) -> Revision:
        """The one revision at which all `actions` happened, if all `checks` hold."""
        response = await self._transact(in_order(actions, checks), checks)
        return Revision(response.header.revision)

    @asynccontextmanager
    async def watch(self, prefix: str, from_revision: Revision) -> AsyncIterator[EtcdWatch]:
        """Every change under `prefix` from `from_revision` on, or `CompactedError`."""
        watch = EtcdWatch(self._client, prefix, from_revision)
        await watch.begin()
        try:
            yield watch
        finally:
            watch.end()

    async def grant(self, ttl_seconds: int) -> Lease:
        """A new lease; it lives longer than asked for if that is less than etcd's minimum."""
        lease_id = LeaseId(1 + secrets.randbits(62))
        request = grant_request(lease_id, ttl_seconds)
        try:
            answer = await self._client.call(GRANT, request, repeatable=True)
        except NotDoneError as error:
            if not (error.verdict is Verdict.LEASE_EXISTS and error.is_repeat):
                raise StoreUnavailableError(f"expected a lease, found {error}") from error
            return Lease(id=lease_id, ttl_seconds=ttl_seconds)
        return Lease(id=lease_id, ttl_seconds=answer.result.ttl)

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again."""
        ttl_seconds = await self._keep_alive.renew(lease_id)
        if ttl_seconds <= 0:
            raise LeaseNotFoundError(lease_id)
        return Lease(id=lease_id, ttl_seconds=ttl_seconds)

    async def revoke(self, lease_id: LeaseId) -> None:
        """Ends the lease and removes its entries."""
        try:
            await self._client.call(REVOKE, revoke_request(lease_id), repeatable=True)
        except NotDoneError as error:
            if not error.is_repeat:
                raise LeaseNotFoundError(lease_id) from error

    async def _list(self, prefix: str) -> Listing:
        entries: list[Entry] = []
        revision = Revision(0)
        while True:
            request = page_request(prefix, entries[-1] if entries else None, revision, _PAGE_ENTRIES)
            answer = await self._client.call(RANGE, request, repeatable=True)
            entries += decode_entries(answer.result)
            revision = revision or Revision(answer.result.header.revision)
            if not answer.result.more:
                return Listing(entries=tuple(entries), revision=revision)

    async def _transact(self, actions: Sequence[Action], checks: Sequence[Check]) -> TxnResponse:
        request = transaction_request(actions, checks)
        repeatable = _excludes_itself(actions, checks)
        try:
            answer = await self._client.call(TRANSACTION, request, repeatable=repeatable)
        except NotDoneError as error:
            lease = next(action.lease for action in actions if isinstance(action, Write) and action.lease)
            raise _if_known(LeaseNotFoundError(lease), is_repeat=error.is_repeat) from error
        if not answer.result.succeeded:
            raise _if_known(decode_mismatch(answer.result, checks), is_repeat=answer.is_repeat)
        return answer.result


def _if_known(refusal: StoreError, *, is_repeat: bool) -> StoreError:
    """The refusal, unless the first attempt may have been done: then it may be about our own write."""
    if is_repeat:
        return StoreUnavailableError(f"expected an answer to the first attempt, found none; then {refusal}")
    return refusal


def _excludes_itself(actions: Sequence[Action], checks: Sequence[Check]) -> bool:
    """Whether the transaction, once done, fails its own checks for ever, and so can be repeated without harm.

    A revision never comes back. An absence does: when somebody else removed what the first attempt wrote.
    """
    checked = {check.key: check.revision for check in checks}
    return any(checked.get(action.key, ABSENT) != ABSENT for action in actions)


@asynccontextmanager
async def open_etcd(location: EtcdLocation) -> AsyncIterator[EtcdStore]:
    """The store on the cluster at `location`; nothing is asked of it yet.

    Raises:
        StoreRefusedError: a certificate or the password cannot be read.
    """
    async with connecting(location) as members, asyncio.TaskGroup() as tasks:
        client = Client(members, location.access)
        keep_alive = KeepAlive(client, tasks)
        try:
            yield EtcdStore(client, keep_alive)
        finally:
            keep_alive.close()
