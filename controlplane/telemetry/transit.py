"""How long the reports of one stream are under way.

A replica that stood still finds reports that its sidecars have given up on and told to another one since.
They are recognised by their age, on the sidecar's own clock, and not counted.
"""

from typing import Final

from controlplane.telemetry.rates import SECOND_NS

LATE_SECONDS: Final = 5
"""Half of the silence after which a sidecar leaves."""


class Transit:
    """The least time that any report took; clocks may differ, so only what is beyond that is known."""

    def __init__(self) -> None:
        self._least_ns: int | None = None

    def is_late(self, at_ns: int, now_ns: int) -> bool:
        """Whether a report that was made at `at_ns` of the sidecar's clock comes too late to be counted."""
        taken_ns = now_ns - at_ns
        self._least_ns = taken_ns if self._least_ns is None else min(self._least_ns, taken_ns)
        return taken_ns - self._least_ns > LATE_SECONDS * SECOND_NS
