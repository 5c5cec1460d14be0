"""Instants as Kubernetes writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def micro_time(instant: datetime) -> str:
    """An instant of UTC to the microsecond, never shorter, as Leases and events want it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
