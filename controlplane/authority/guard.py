"""Lets in sidecars that prove who they are: by a token that the cluster made for their pod, and for us alone.

Every wrong token is refused in the same words, so that they tell nobody which part was right.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc.aio
import structlog

from controlplane.caller import CALLER
from controlplane.errors import ReviewError, TokenError
from controlplane.listen import HEALTH, bearer, refusing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from controlplane.model.identity import Identity
    from registry.clock import Clock

CACHE_SECONDS: Final = 10
"""How long a token is taken for good after the cluster said so: its pod may be deleted at any time."""

_CACHED_MAX: Final = 4_096
_REVIEWS_AT_ONCE: Final = 32
_TOKEN_BYTES: Final = 8_192
_REFUSAL: Final = "expected a token of a pod of this cluster, made for this control plane"
_AWAY: Final = "the cluster cannot be asked whose token it is; try another control plane, or later"
_PEERS: Final = "/mesh.v1.PeerService/"  # which has tokens of its own
_ENTRIES: Final = frozenset(
    f"/mesh.v1.RegistryService/{name}" for name in ("Register", "Deregister", "KeepAlive", "ReportHealth")
)
_UNREGISTERED: Final = "pods are not registered: the Services of the cluster say where they are"

log = structlog.get_logger()


class Review(Protocol):
    """Says whose a token is."""

    async def __call__(self, token: str) -> Identity | None:
        """The pod that a token was made for; `None` if it is wrong in any way.

        Raises:
            ReviewError: nobody can say it now.
        """


class CallerGuard(grpc.aio.ServerInterceptor):
    """Refuses calls that prove nothing; the others have an identity, in `caller.CALLER`."""

    def __init__(self, review: Review, clock: Clock) -> None:
        self._review = review
        self._clock = clock
        self._known: dict[bytes, tuple[Identity, int]] = {}
        self._turns = asyncio.Semaphore(_REVIEWS_AT_ONCE)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call by somebody who is known."""
        method = handler_call_details.method
        if method.startswith((HEALTH, _PEERS)):
            return await continuation(handler_call_details)
        try:
            identity = await self.identify(bearer(handler_call_details))
        except ReviewError as error:
            return refusing(grpc.StatusCode.UNAVAILABLE, str(error))
        except TokenError as error:
            return refusing(grpc.StatusCode.UNAUTHENTICATED, str(error))
        if method in _ENTRIES:
            return refusing(grpc.StatusCode.PERMISSION_DENIED, _UNREGISTERED)
        CALLER.set(identity)
        return await continuation(handler_call_details)

    async def identify(self, token: str) -> Identity:
        """The pod that a token was made for.

        Raises:
            ReviewError: nobody can say it now.
            TokenError: none, or the token is wrong in any way.
        """
        try:
            identity = await self._find(token)
        except ReviewError as error:
            log.warning("token not reviewed", reason=str(error))
            raise ReviewError(_AWAY) from error
        if identity is None:
            log.warning("token refused", audit=True)
            raise TokenError(_REFUSAL)
        return identity

    async def _find(self, token: str) -> Identity | None:
        if not 0 < len(token) <= _TOKEN_BYTES:
            return None
        key, now_ns = hashlib.sha256(token.encode()).digest(), self._clock.now_ns()
        identity, until_ns = self._known.get(key, (None, 0))
        if identity and now_ns < until_ns:
            return identity
        async with self._turns:
            identity = await self._review(token)
        if identity:
            self._remember(key, identity, now_ns)
        return identity

    def _remember(self, key: bytes, identity: Identity, now_ns: int) -> None:
        """From before the question, so that it is never older than it seems; the oldest make room."""
        self._known.pop(key, None)
        self._known[key] = (identity, now_ns + CACHE_SECONDS * 1_000_000_000)
        while len(self._known) > _CACHED_MAX:
            self._known.pop(next(iter(self._known)))
