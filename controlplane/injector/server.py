"""The webhooks: pods get their sidecars, and policies are checked as a whole, before they are written."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from controlplane.config import Address
from controlplane.errors import MalformedReviewError
from controlplane.injector import patch, review
from controlplane.injector.encryption import ssl_context
from controlplane.injector.review import MAX_BYTES, Review
from controlplane.model.schema import API_VERSION
from controlplane.sockets import listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from controlplane.credentials import Keyring
    from controlplane.injector.template import Template
    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.model.schema import Block

_WORKERS: Final = 2
_TURNS: Final = 32
"""Bodies in memory at once; whoever comes then waits."""

_READ_SECONDS: Final = 3.0
_GRACE_SECONDS: Final = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What answers them: the template of sidecars, the documents in force, and the check of an object's text.

    `block` is the spec of a profile.
    """

    template: Template
    documents: Callable[[], Mapping[ObjectKey, Document]]
    block: Block
    check: Callable[[str], Awaitable[Sequence[Problem]]]


class Webhooks:
    """Answers reviews; what takes long is done in a few threads, a few at a time."""

    def __init__(self, questions: Questions, pool: ThreadPoolExecutor) -> None:
        self._questions = questions
        self._pool = pool
        self._turns = asyncio.Semaphore(_TURNS)

    def application(self) -> web.Application:
        """What serves them."""
        application = web.Application(client_max_size=MAX_BYTES)
        application.add_routes([web.post("/inject", self._inject), web.post("/validate", self._validate)])
        return application

    async def _inject(self, request: web.Request) -> web.Response:
        async with self._turns:
            body = await _read(request)
            return _reply(await self._work(self._injected, body))

    async def _validate(self, request: web.Request) -> web.Response:
        async with self._turns:
            asked, text = await self._work(_policy, await _read(request))
            problems = await self._questions.check(text)
            serious = [problem for problem in problems if not problem.warning]
            if serious:
                return _reply(review.refused(asked, [problem.coded for problem in serious]))
            return _reply(review.allowed(asked, warnings=[problem.coded for problem in problems]))

    async def _work(self, work: Callable[[bytes], Any], body: bytes) -> Any:
        """What `work` makes of a body, in one of the threads.

        Raises:
            HTTPBadRequest: the body asks nothing.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, body)
        except MalformedReviewError as error:
            raise web.HTTPBadRequest(text=str(error)) from error

    def _injected(self, body: bytes) -> Mapping[str, Any]:
        asked, questions = review.decode(body), self._questions
        found = patch.inject_with(
            asked.object, asked.namespace, questions.template, questions.documents(), questions.block
        )
        if found.problems:
            log.info("pod refused", namespace=asked.namespace, problems=len(found.problems))
            return review.refused(asked, found.problems)
        reason = found.skip.value if found.skip else ""
        log.info("pod reviewed", namespace=asked.namespace, injected=not reason, reason=reason)
        return review.allowed(asked, found.operations, [warning.coded for warning in found.warnings])


def _policy(body: bytes) -> tuple[Review, str]:
    """The question, and the object as its author wrote it: without what the API server adds."""
    asked = review.decode(body)
    found = asked.object
    metadata = found.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    kept = {name: known[name] for name in ("name", "namespace", "labels") if known.get(name)}
    written = {"apiVersion": API_VERSION, "kind": found.get("kind"), "metadata": kept}
    return asked, review.as_text(written | ({"spec": found["spec"]} if "spec" in found else {}))


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"expected a body within {_READ_SECONDS:g} s") from error


def _reply(answer: Mapping[str, Any]) -> web.Response:
    return web.Response(text=review.as_text(answer), content_type="application/json")


@asynccontextmanager
async def serving_webhooks(
    address: Address, keyring: Keyring, questions: Questions
) -> AsyncIterator[Address]:
    """Serves until the block ends; yields the address that was bound.

    Raises:
        ListenError: the address cannot be listened on.
    """
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="webhook") as pool:
        application = Webhooks(questions, pool).application()
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        try:
            place = listener("--webhook", address)
            await web.SockSite(runner, place, ssl_context=ssl_context(keyring)).start()
            yield Address(host=address.host, port=runner.addresses[0][1])
        finally:
            await runner.cleanup()
