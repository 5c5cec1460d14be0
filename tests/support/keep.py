"""A keep of roots in memory, which several control planes may share, and a clock for them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controlplane.keep import Kept


class MemoryKeep:
    """Keeps roots for the length of a test; `published` is what was published last."""

    def __init__(self) -> None:
        self.text = b""
        self.published = b""
        self.changes = 0

    async def load(self) -> Kept | None:
        return Kept(text=self.text, version=str(self.changes)) if self.changes else None

    async def save(self, text: bytes, version: str) -> bool:
        if version != (str(self.changes) if self.changes else ""):
            return False
        self.text = text
        self.changes += 1
        return True

    async def publish(self, bundle: bytes) -> None:
        self.published = bundle


@dataclass(slots=True)
class Calendar:
    """What day it is."""

    now: datetime = datetime(2026, 11, 25, tzinfo=UTC)

    def pass_days(self, days: float) -> None:
        """Let time go by."""
        self.now += timedelta(days=days)

    def __call__(self) -> datetime:
        return self.now
