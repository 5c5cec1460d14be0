"""When a status that changed is written: soon, but not more often than people can read.

A change of a policy is followed by that of its counts, within a fraction of a second, and costs one write. So
what is still on its way to sidecars waits a moment; and when only counts are others, because sidecars come
and go, a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from controlplane.kubernetes.status import Status

PENDING_SECONDS: Final = 2.0
COUNTS_SECONDS: Final = 10.0


def is_due(before: Status, after: Status, *, differs_seconds: float, written_seconds: float) -> bool:
    """Whether to write `after` in place of `before`.

    They have differed for `differs_seconds`; `before` was written `written_seconds` ago.
    """
    synced = after.find("Synced")
    if synced is not None and synced.reason == "Pending" and differs_seconds < PENDING_SECONDS:
        return False
    is_news = before.verdicts != after.verdicts or before.observed_generation != after.observed_generation
    is_news = is_news or before.parents != after.parents
    return is_news or written_seconds >= COUNTS_SECONDS
