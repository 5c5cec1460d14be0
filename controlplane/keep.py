"""Where roots are kept, and where the public half of them is published."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

ROOTS: Final = "authority.pem"
BUNDLE: Final = "ca.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Roots with their keys as they are kept, and the version that a change of them must name."""

    text: bytes = field(repr=False)
    version: str


class Keep(Protocol):
    """Keeps roots, for every replica of a control plane alike."""

    async def load(self) -> Kept | None:
        """What is kept, or `None`.

        Raises:
            AuthorityError: it cannot be read.
        """

    async def save(self, text: bytes, version: str) -> bool:
        """Keeps `text` in place of what has `version`; false if somebody else has changed that.

        An empty version stands for nothing.

        Raises:
            AuthorityError: it cannot be kept.
        """

    async def publish(self, bundle: bytes) -> None:
        """Lets everybody know whom to trust.

        Raises:
            AuthorityError: it cannot be published.
        """
