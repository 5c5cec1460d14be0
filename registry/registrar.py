"""Enters registrations into a store, each under a lease of its own."""

from registry.codec import encode_registration
from registry.errors import InvalidRegistrationError, LeaseNotFoundError
from registry.keys import registration_key
from registry.model import Lease, LeaseId, Registration
from registry.store import Store
from registry.validate import validate


class Registrar:
    """Registers instances and keeps their leases."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def register(self, registration: Registration, ttl_seconds: int) -> Lease:
        """The new lease under which the instance is registered.

        An instance that registers again, as after a restart, is replaced in place: readers never see it
        gone. Its earlier lease then holds nothing and ends by itself.

        Raises:
            InvalidRegistrationError: it has problems; nothing changed.
            StoreUnavailableError: the store cannot be written now.
        """
        if problems := validate(registration):
            raise InvalidRegistrationError(problems)
        key = registration_key(registration.service, registration.endpoint.instance)
        lease = await self._store.grant(ttl_seconds)
        await self._store.put(key, encode_registration(registration), lease=lease.id)
        return lease

    async def keep_alive(self, lease_id: LeaseId) -> Lease:
        """The lease, with its full time before it again.

        Raises:
            LeaseNotFoundError: there is no such lease; its owner should register again.
        """
        return await self._store.keep_alive(lease_id)

    async def deregister(self, lease_id: LeaseId) -> None:
        """Removes what is registered under the lease.

        Never what the same instance has registered since under another, so a process that leaves late
        does not take its successor along. Returns quietly when the lease has ended already.
        """
        try:
            await self._store.revoke(lease_id)
        except LeaseNotFoundError:
            return
