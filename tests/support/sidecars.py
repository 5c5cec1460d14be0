"""Sidecars as control planes know them, made by hand."""

from datetime import UTC, datetime

from controlplane.model.replica import Placed, Replica, ReplicaId
from controlplane.model.sidecar import Attached, Hello, SidecarState, SidecarStatus
from registry.model import ServiceName

CART = ServiceName(namespace="shop", name="cart")


def sidecar(
    instance: str, *, state: SidecarState = SidecarState.SYNCED, age_seconds: float = 1.0
) -> SidecarStatus:
    """A sidecar of `shop/cart`."""
    return SidecarStatus(
        hello=Hello(instance=instance, services=(CART,), version="1"),
        state=state,
        age_seconds=age_seconds,
        revision=1,
        lag=0,
        last_ack_age_seconds=None,
        rejections=(),
        pushes=0,
        resources=0,
    )


def replica(name: str = "one", *, address: str = "", started_seconds: float = 0) -> Replica:
    return Replica(
        id=ReplicaId(f"id-of-{name}"),
        name=name,
        address=address or f"{name}:15010",
        version="1",
        started_at=datetime.fromtimestamp(started_seconds, UTC),
        token=f"token-of-{name}",
    )


def placed(status: SidecarStatus, *, at: str = "one", resident_bytes: int = 0) -> Placed:
    return Placed(attached=Attached(status=status, resident_bytes=resident_bytes), replica=replica(at))
