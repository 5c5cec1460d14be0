"""The protocol of a source of policies, and what it delivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.sources.reader import Parsed

CLUSTER: Final = "kubernetes"
"""The name of the source that is the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What changed in a source: its units, such as files, by name; `None` for one that is gone.

    A unit is read as a whole. `position` grows from reading to reading.
    """

    source: str
    units: Mapping[str, Parsed | None]
    position: int


class Source(Protocol):
    """Where policies come from."""

    @property
    def name(self) -> str:
        """What problems and people call it."""
        ...

    def watch(self) -> AsyncIterator[Reading]:
        """All there is, be it nothing, and then every change, without end."""
        ...
