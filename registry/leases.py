"""When each lease of the embedded store expires; told the time, never asking for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry.errors import LeaseNotFoundError
from registry.model import Lease, LeaseId

_NS = 1_000_000_000


@dataclass(slots=True)
class Deadlines:
    """Every live lease and the monotonic instant at which it ends.

    They are not stored: renewing a lease writes nothing, and a store that starts gives each its full time.
    """

    _ends: dict[LeaseId, tuple[Lease, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._ends)

    def start(self, lease: Lease, now_ns: int, *, extra_seconds: int = 0) -> None:
        """Gives a lease its full time from `now_ns`, and `extra_seconds` more."""
        self._ends[lease.id] = (lease, now_ns + (lease.ttl_seconds + extra_seconds) * _NS)

    def renew(self, lease_id: LeaseId, now_ns: int) -> Lease:
        """The lease, with its full time from `now_ns`, or what it had if that is longer.

        Raises:
            LeaseNotFoundError: there is no such lease.
        """
        if lease_id not in self._ends:
            raise LeaseNotFoundError(lease_id)
        lease, end_ns = self._ends[lease_id]
        self._ends[lease_id] = (lease, max(end_ns, now_ns + lease.ttl_seconds * _NS))
        return lease

    def renew_all(self, now_ns: int) -> None:
        """Gives every lease its full time from `now_ns`."""
        for lease_id in self._ends:
            self.renew(lease_id, now_ns)

    def forget(self, lease_ids: Iterable[LeaseId]) -> None:
        """Drops leases that have ended."""
        for lease_id in lease_ids:
            self._ends.pop(lease_id, None)

    def take_expired(self, now_ns: int) -> tuple[Lease, ...]:
        """Removes and returns the leases that have ended at `now_ns`, sorted by id."""
        expired = sorted(lease_id for lease_id, (_, end_ns) in self._ends.items() if end_ns <= now_ns)
        return tuple(self._ends.pop(lease_id)[0] for lease_id in expired)

    def seconds_left(self, now_ns: int, limit_seconds: float) -> float:
        """Time until the first lease ends, at least 0 and at most `limit_seconds`."""
        first_ns = min(
            (end_ns for _, end_ns in self._ends.values()), default=now_ns + int(limit_seconds * _NS)
        )
        return min(max(first_ns - now_ns, 0) / _NS, limit_seconds)
