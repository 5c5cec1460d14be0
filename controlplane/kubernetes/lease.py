"""Who leads, by a Lease of the cluster: what a candidate does next.

Theory of operation, that of client-go. The leader renews its Lease every `LOOK_SECONDS`. A candidate takes it
over once it has seen the same record for `LEASE_SECONDS`, by its own clock: clocks of different machines are
never compared. A leader that could not renew for `RENEW_SECONDS`, counted from before the last renewal that
went through, stops leading, well before anybody may take over. Whoever writes says which version it has read,
so that of two only one gets through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

import msgspec
from msgspec import Struct

from controlplane.kubernetes.objects import Object
from controlplane.kubernetes.times import micro_time

LEASE_SECONDS: Final = 15
RENEW_SECONDS: Final = 10
LOOK_SECONDS: Final = 2
_NS: Final = 1_000_000_000


class LeaseSpec(Struct, frozen=True, rename="camel", kw_only=True):
    """What a Lease says."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: datetime | None = None
    renew_time: datetime | None = None
    lease_transitions: int | None = None


def encode(spec: LeaseSpec) -> dict[str, object]:
    """What a Lease says, as plain values for a request."""
    plain: dict[str, object] = msgspec.to_builtins(spec)
    for name, instant in (("acquireTime", spec.acquire_time), ("renewTime", spec.renew_time)):
        plain[name] = micro_time(instant) if instant else None
    return {name: value for name, value in plain.items() if value is not None}


class Lease(Object, frozen=True, kw_only=True):
    """A Lease as it was read, or as it is to be written."""

    spec: LeaseSpec


class Step(Enum):
    """What a candidate does."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The version of a Lease as last read, and when it was first seen."""

    version: str = ""
    since_ns: int = 0


def see(seen: Seen, lease: Lease | None, now_ns: int) -> Seen:
    """What was seen, after another look."""
    version = lease.metadata.resource_version if lease else ""
    return seen if version == seen.version else Seen(version=version, since_ns=now_ns)


def step(lease: Lease | None, name: str, seen: Seen, now_ns: int) -> Step:
    """What the candidate `name` does about the Lease that it has just read."""
    if lease is None:
        return Step.CREATE
    if lease.spec.holder_identity == name:
        return Step.RENEW
    is_over = now_ns - seen.since_ns >= LEASE_SECONDS * _NS
    return Step.TAKE if is_over or not lease.spec.holder_identity else Step.WAIT


def is_leading(renewed_ns: int | None, now_ns: int) -> bool:
    """Whether a lead that was last renewed at `renewed_ns` is still held."""
    return renewed_ns is not None and now_ns - renewed_ns < RENEW_SECONDS * _NS


def held(lease: Lease | None, name: str, now: datetime) -> LeaseSpec:
    """What the Lease says once `name` holds it, or holds it longer."""
    before = lease.spec if lease else LeaseSpec()
    is_renewal = before.holder_identity == name
    changes = 0 if is_renewal or lease is None else 1
    return LeaseSpec(
        holder_identity=name,
        lease_duration_seconds=LEASE_SECONDS,
        acquire_time=before.acquire_time if is_renewal else now,
        renew_time=now,
        lease_transitions=(before.lease_transitions or 0) + changes,
    )


def released(lease: Lease, now: datetime) -> LeaseSpec:
    """What the Lease says once its holder has given it up: anybody may take it."""
    return msgspec.structs.replace(
        lease.spec, holder_identity="", lease_duration_seconds=1, renew_time=now, acquire_time=now
    )
