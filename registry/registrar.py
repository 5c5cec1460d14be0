"""Enters registrations into a store, each under a lease of its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from registry.codec import decode_entry, encode_registration
from registry.errors import (
    InvalidRegistrationError,
    KeyNotFoundError,
    LeaseNotFoundError,
    RevisionMismatchError,
)
from registry.keys import registration_key
from registry.model import Health, InstanceId, Lease, LeaseId, Registration, Revision, ServiceName
from registry.store import ABSENT, Entry, Store
from registry.validate import validate

_now = partial(datetime.now, UTC)


class Registrar:
    """Registers instances and keeps their leases; `now` gives aware instants."""

    def __init__(self, store: Store, now: Callable[[], datetime] = _now) -> None:
        self._store = store
        self._now = now

    async def register(self, registration: Registration, ttl_seconds: int) -> Lease:
        """The new lease under which the instance is registered.

        An instance that registers again, as after a restart, is replaced in place: readers never see it
        gone. Its earlier lease then holds nothing and ends by itself. An attempt that nobody answered cannot
        land later on the one that followed it, and take the instance along when its own lease ends.

        Raises:
            InvalidRegistrationError: it has problems; nothing changed.
            StoreUnavailableError: the store cannot be written now.
        """
        if problems := validate(registration):
            raise InvalidRegistrationError(problems)
        key = registration_key(registration.service, registration.endpoint.instance)
        lease = await self._store.grant(ttl_seconds)
        value = encode_registration(registration, ttl_seconds=lease.ttl_seconds, registered_at=self._now())
        while not await self._replace(key, value, lease.id, await self._revision(key)):
            pass  # somebody else wrote it meanwhile
        return lease

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again.

        Raises:
            LeaseNotFoundError: there is no such lease; its owner should register again.
        """
        return await self._store.keep_alive(lease_id)

    async def report_health(
        self, service: ServiceName, instance: InstanceId, lease_id: LeaseId, health: Health
    ) -> None:
        """Changes the verdict on an instance, and writes only when it is another one.

        Raises:
            LeaseNotFoundError: the instance is not registered under this lease; its owner should register
                again.
        """
        key = registration_key(service, instance)
        while not await self._set_health(key, lease_id, health):
            pass  # somebody else wrote it meanwhile

    async def _set_health(self, key: str, lease_id: LeaseId, health: Health) -> bool:
        """Whether the verdict stands; not when the entry was another one before it could be written."""
        entry = await self._registered(key, lease_id)
        registered = decode_entry(entry)
        endpoint = registered.registration.endpoint
        if endpoint.health is health:
            return True
        changed = replace(registered.registration, endpoint=replace(endpoint, health=health))
        value = encode_registration(
            changed,
            entered=registered.entered,
            ttl_seconds=registered.ttl_seconds,
            registered_at=registered.registered_at,
        )
        return await self._replace(key, value, lease_id, entry.revision)

    async def _replace(self, key: str, value: bytes, lease_id: LeaseId, revision: Revision) -> bool:
        """Whether the entry is written, which it is only over the one at `revision`."""
        try:
            await self._store.put(key, value, lease=lease_id, expect=revision)
        except RevisionMismatchError:
            return False
        return True

    async def _revision(self, key: str) -> Revision:
        try:
            return (await self._store.get(key)).revision
        except KeyNotFoundError:
            return ABSENT

    async def _registered(self, key: str, lease_id: LeaseId) -> Entry:
        try:
            entry = await self._store.get(key)
        except KeyNotFoundError as error:
            raise LeaseNotFoundError(lease_id) from error
        if entry.lease != lease_id:
            raise LeaseNotFoundError(lease_id)
        return entry

    async def deregister(self, lease_id: LeaseId) -> None:
        """Removes what is registered under the lease.

        Never what the same instance has registered since under another, so a process that leaves late
        does not take its successor along. Returns quietly when the lease has ended already.
        """
        try:
            await self._store.revoke(lease_id)
        except LeaseNotFoundError:
            return
