"""The authority: makes and keeps roots, publishes them, and has a certificate for its own servers ready."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from controlplane.authority import rotation
from controlplane.authority.issue import Pair, decode, encode, new_leaf, new_root
from controlplane.credentials import Credentials
from controlplane.errors import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from controlplane.keep import Keep

LOOK_SECONDS: Final = 30.0
"""How often is looked whether something is due, and whether another replica changed the roots."""

_ATTEMPTS: Final = 5

log = structlog.get_logger()


class Authority:
    """Issues for servers called `names`; several replicas share the roots, and agree on each change.

    `credentials` holds after the first `refresh`.
    """

    def __init__(
        self,
        keep: Keep,
        names: Sequence[str],
        trust_domain: str,
        now: Callable[[], datetime],
    ) -> None:
        self._keep = keep
        self._names = tuple(names)
        self._trust_domain = trust_domain
        self._now = now
        self._roots: tuple[Pair, ...] = ()
        self._signer = b""
        self._leaf: Pair | None = None

    @property
    def credentials(self) -> Credentials:
        """What servers show now, and whom their callers trust."""
        if self._leaf is None:
            raise AuthorityError("expected a certificate, found none: nothing was issued yet")
        return Credentials(
            certificate=self._leaf.certificate, key=self._leaf.key, bundle=_bundle(self._roots)
        )

    async def refresh(self) -> None:
        """Takes up what is kept, and replaces what is due: a certificate also while nothing can be reached.

        Raises:
            AuthorityError: what is kept is out of reach, or unreadable, or roots cannot be published.
        """
        try:
            await self._agree()
            await self._keep.publish(_bundle(self._roots))
        finally:
            if self._roots:
                self._issue()

    async def run(self) -> None:
        """Refreshes until cancelled; what it has serves while nothing can be reached."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.refresh()
            except AuthorityError as error:
                log.warning("authority not refreshed", reason=str(error))

    async def _agree(self) -> None:
        for _ in range(_ATTEMPTS):
            if await self._settle():
                return
        raise AuthorityError("expected to agree on roots with other control planes, found none")

    async def _settle(self) -> bool:
        """Takes up the roots, with another one where that is due; false if somebody else was faster."""
        kept = await self._keep.load()
        now = self._now()
        found = decode(kept.text) if kept else ()
        places = rotation.published([root.life for root in found], now)
        roots = tuple(found[place] for place in places)
        if rotation.is_root_due([root.life for root in roots], now):
            roots = (*roots, new_root(self._trust_domain, rotation.begin(now, rotation.ROOT_LIFE)))
            if not await self._keep.save(encode(roots), kept.version if kept else ""):
                return False
            log.info("root made", ends_at=roots[-1].life.ends_at.isoformat(), roots=len(roots))
        self._roots = roots
        return True

    def _issue(self) -> None:
        now = self._now()
        root = self._roots[rotation.signer([root.life for root in self._roots], now)]
        is_current = self._leaf is not None and self._signer == root.certificate
        if is_current and self._leaf and not rotation.is_leaf_due(self._leaf.life, now):
            return
        self._leaf = new_leaf(root, self._names, rotation.begin(now, rotation.LEAF_LIFE))
        self._signer = root.certificate
        log.info("certificate issued", ends_at=self._leaf.life.ends_at.isoformat())


def _bundle(roots: Sequence[Pair]) -> bytes:
    """Every root that is published, the newest first."""
    return b"".join(root.certificate for root in reversed(roots))
