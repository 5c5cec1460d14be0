"""Who may ask AdminService: whoever shows the token, where there is one."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
import structlog

from controlplane.listen import HEALTH, bearer, refusing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

log = structlog.get_logger()

_REFUSAL: Final = "expected the token of this control plane; name its file with --admin-token-file"


class TokenGuard(grpc.aio.ServerInterceptor):
    """Refuses calls without the token in a file, which is read for each, so that it can be replaced."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call that may be made; health may always be asked for."""
        method = handler_call_details.method
        if method.startswith(HEALTH) or self._knows(bearer(handler_call_details)):
            return await continuation(handler_call_details)
        log.warning("admin call refused", method=method)
        return refusing(grpc.StatusCode.UNAUTHENTICATED, _REFUSAL)

    def _knows(self, token: str) -> bool:
        """Whether it is the token; an empty file lets nobody in."""
        try:
            expected = self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            log.exception("admin token cannot be read", reason=str(error))
            return False
        return bool(expected) and hmac.compare_digest(expected.encode(), token.encode())
