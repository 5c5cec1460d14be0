"""When roots and certificates are replaced, and which root signs.

Theory of operation. A root lives for a year. When a third of that is left, the next one joins it: it is
published at once, and signs once everybody has had a day to learn of it. The old one stays published until
it expires, so that what it signed is trusted for as long as it lasts. A certificate lives for a week, and is
replaced when half of that is over; one whose root is signing no more is replaced as well.

    root    ------- signs ---------------------|- published ----|
    next                            |published-|------- signs ------------------------|- published ----|
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT_LIFE: Final = timedelta(days=365)
LEAF_LIFE: Final = timedelta(days=7)
SETTLE: Final = timedelta(days=1)
"""From publishing a root until it signs."""

AHEAD: Final = timedelta(minutes=5)
"""How much earlier a life begins, for clocks that are behind ours."""


@dataclass(frozen=True, slots=True)
class Life:
    """From when until when something is valid."""

    begins_at: datetime
    ends_at: datetime

    def left(self, now: datetime) -> float:
        """The share of it that is left: 1 at its beginning, 0 or less once it is over."""
        return (self.ends_at - now) / (self.ends_at - self.begins_at)


def begin(now: datetime, life: timedelta) -> Life:
    """The life of what is made now."""
    return Life(now - AHEAD, now + life)


def is_root_due(roots: Sequence[Life], now: datetime) -> bool:
    """Whether another root is to join these, the newest last."""
    return not roots or roots[-1].left(now) < 1 / 3


def published(roots: Sequence[Life], now: datetime) -> tuple[int, ...]:
    """The places of the roots that are still published."""
    return tuple(place for place, root in enumerate(roots) if root.ends_at > now)


def signer(roots: Sequence[Life], now: datetime) -> int:
    """The place of the root that signs: the newest that everybody knows, else the oldest there is."""
    settled = [place for place, root in enumerate(roots) if root.begins_at + AHEAD + SETTLE <= now]
    return settled[-1] if settled else 0


def is_leaf_due(leaf: Life, now: datetime) -> bool:
    """Whether a certificate is to be replaced."""
    return leaf.left(now) < 1 / 2
