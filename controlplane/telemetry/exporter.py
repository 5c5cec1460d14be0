"""Posts spans to a collector: OTLP over HTTP, one batch after the other."""

import asyncio
from typing import Final

import aiohttp
import structlog

from controlplane.telemetry.codec import decode_rejected
from controlplane.telemetry.outbox import Batch, Outbox

PATH: Final = "/v1/traces"
"""Where a collector takes spans, after the path of its endpoint."""

TRIES: Final = 6
FIRST_PAUSE_SECONDS: Final = 1.0
"""Pause after the first try that failed; each is twice the one before."""

_ANSWER_SECONDS: Final = 10.0
_ANSWER_BYTES: Final = 64 << 10
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_OK: Final = 200
_TYPE: Final = "application/x-protobuf"

log = structlog.get_logger()


async def export(endpoint: str, outbox: Outbox, pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
    """Posts whatever is put into `outbox`, until cancelled.

    What a collector cannot take now is posted again after a pause; redirects are not followed.
    """
    url = endpoint.rstrip("/") + PATH
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Content-Type": _TYPE}) as session:
        while True:
            await _deliver(session, url, outbox, pause_seconds)


async def _deliver(session: aiohttp.ClientSession, url: str, outbox: Outbox, pause_seconds: float) -> None:
    """Takes one batch to its end: taken by the collector, or lost."""
    batch, failure = await outbox.take(), ""
    for number in range(TRIES):
        if number:
            await asyncio.sleep(pause_seconds * 2 ** (number - 1))
        try:
            rejected = await _post(session, url, batch)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = str(error) or type(error).__name__
            if isinstance(error, aiohttp.ClientResponseError) and error.status not in _TRY_AGAIN:
                break
            log.info("spans not taken yet", collector=url, reason=failure)
            continue
        outbox.sent(batch.spans - rejected)
        if rejected:
            outbox.lose(rejected, "the collector rejects them", collector=url)
        return
    outbox.lose(batch.spans, failure, collector=url)


async def _post(session: aiohttp.ClientSession, url: str, batch: Batch) -> int:
    """How many spans of a batch the collector rejects.

    Raises:
        aiohttp.ClientError: it does not answer, or takes none.
    """
    async with session.post(url, data=batch.body, allow_redirects=False) as answer:
        if answer.status != _OK:
            raise aiohttp.ClientResponseError(
                answer.request_info, (), status=answer.status, message=answer.reason or ""
            )
        return decode_rejected(await answer.content.read(_ANSWER_BYTES))
