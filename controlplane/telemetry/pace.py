"""How often sidecars report: seldom enough for one replica to keep up, however many they are."""

from math import ceil
from typing import Final

from controlplane.telemetry.rates import SECOND_NS

LEAST_SECONDS: Final = 2.0

REPORTS_PER_SECOND: Final = 500
"""What a replica takes beside its other work: a fifth of a core with reports of usual size."""


class Pace:
    """The interval between the reports of each sidecar, by how many report here. Mutable, as `Merge` is."""

    def __init__(self) -> None:
        self._reporters = 0
        self._slowest_seconds = LEAST_SECONDS
        self._until_ns = 0

    def join(self) -> None:
        """One more reports."""
        self._reporters += 1

    def leave(self) -> None:
        """One fewer reports."""
        self._reporters -= 1

    def tell(self, now_ns: int) -> float:
        """The seconds until the next report of whoever asks now."""
        seconds = self._interval_seconds
        if seconds >= self._slowest_seconds or now_ns >= self._until_ns:
            self._slowest_seconds = seconds
            self._until_ns = now_ns + round(seconds * SECOND_NS)
        return seconds

    def delay_seconds(self, now_ns: int) -> int:
        """How far in the past all have reported about: the longest interval told of late, and a second."""
        told = self._slowest_seconds if now_ns < self._until_ns else 0.0
        return ceil(max(told, self._interval_seconds)) + 1

    @property
    def _interval_seconds(self) -> float:
        return max(LEAST_SECONDS, self._reporters / REPORTS_PER_SECOND)
