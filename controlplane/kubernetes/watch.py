"""Follows one resource of the API server, for as long as somebody needs it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

import msgspec
import structlog

from controlplane.errors import KubernetesError
from controlplane.kubernetes import reflection
from controlplane.kubernetes.call import JSON, METADATA, METADATA_LIST, Call
from controlplane.kubernetes.objects import Event, Key, Object, Page, decode_problem
from controlplane.kubernetes.reflection import Phase, Progress
from controlplane.newest import Newest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.resources import Resource
    from registry.clock import Clock

T = TypeVar("T", bound=Object)
Take: TypeAlias = "Callable[[Mapping[Key, T | None]], None]"
"""Takes what changed: objects as they are now, `None` for those that are gone."""

PAGE: Final = 500
SILENCE_SECONDS: Final = 120.0
"""The server sends a bookmark about every minute, so one that is silent for two is gone."""

_WATCH_SECONDS: Final = (240, 480)
_NS: Final = 1_000_000_000

_chance = random.SystemRandom()
log = structlog.get_logger()


class Reflector(Generic[T]):
    """Hands every change of a resource to `take`, beginning with all there is."""

    def __init__(
        self,
        api: Api,
        resource: Resource[T],
        take: Take[T],
        clock: Clock,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._api = api
        self._resource = resource
        self._take = take
        self._clock = clock
        self._silence_seconds = silence_seconds
        self._versions: dict[Key, str] = {}
        self._listed: dict[Key, T] = {}
        self._progress = Progress()
        self._is_synced = Newest[bool](value=False)

    @property
    def is_synced(self) -> bool:
        """Whether all there is was handed over once."""
        return self._is_synced.value

    async def synced(self) -> None:
        """Returns once all there is was handed over."""
        await self._is_synced.until(bool)

    async def run(self) -> None:
        """Follows the resource until cancelled."""
        while True:
            retry_after_seconds, phase = 0.0, self._progress.phase
            started_ns = self._clock.now_ns()
            try:
                await (self._list() if self._progress.phase is Phase.LIST else self._watch())
            except KubernetesError as error:
                lasted_seconds = (self._clock.now_ns() - started_ns) / _NS
                self._fail(error, lasted_seconds)
                retry_after_seconds = error.retry_after_seconds
            else:
                if phase is self._progress.phase is Phase.LIST:
                    continue  # with the next page
            draw = _chance.random()
            await self._clock.sleep(reflection.delay_seconds(self._progress, retry_after_seconds, draw))

    def _fail(self, error: KubernetesError, lasted_seconds: float) -> None:
        self._listed = {}
        self._progress = reflection.failed(self._progress, error.status, lasted_seconds=lasted_seconds)
        if self._resource.optional and error.status == reflection.MISSING and self._progress.is_absent:
            self._is_synced.set(True)
            return
        log.info(
            "cluster watched anew",
            resource=self._resource.name,
            next=self._progress.phase.value,
            failures=self._progress.failures,
            reason=str(error),
        )

    async def _list(self) -> None:
        query = {"limit": str(PAGE)} | (
            {"continue": self._progress.next_page} if self._progress.next_page else {}
        )
        accept = METADATA_LIST if self._resource.metadata_only else JSON
        page = _decode(await self._api.call(Call(path=self._resource.path, query=query, accept=accept)), Page)
        for item in page.items or ():
            found = _decode(item, self._resource.type)
            self._listed[found.key] = found
        self._progress = reflection.paged(
            self._progress, version=page.metadata.resource_version, next_page=page.metadata.next_page
        )
        if self._progress.phase is Phase.WATCH:
            self._replace()

    def _replace(self) -> None:
        """Takes over what was listed."""
        listed, self._listed = self._listed, {}
        known = self._versions
        gone: dict[Key, T | None] = dict.fromkeys(known.keys() - listed.keys())
        self._hand_over(
            gone
            | {key: one for key, one in listed.items() if known.get(key) != one.metadata.resource_version}
        )
        self._is_synced.set(True)

    async def _watch(self) -> None:
        started_ns = self._clock.now_ns()
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._progress.version,
            "timeoutSeconds": str(_chance.randint(*_WATCH_SECONDS)),
        }
        accept = METADATA if self._resource.metadata_only else JSON
        call = Call(path=self._resource.path, query=query, accept=accept)
        async for line in self._api.watch(call, silence_seconds=self._silence_seconds):
            self._hear(_decode(line, Event))
        lasted_seconds = (self._clock.now_ns() - started_ns) / _NS
        self._progress = reflection.ended(self._progress, lasted_seconds=lasted_seconds)

    def _hear(self, event: Event) -> None:
        if event.type == "ERROR":
            problem = decode_problem(bytes(event.object))
            raise KubernetesError(problem.message, status=problem.code, reason=problem.reason)
        if event.type == "BOOKMARK":
            version = _decode(event.object, Object).metadata.resource_version
        else:
            found = _decode(event.object, self._resource.type)
            version = found.metadata.resource_version
            self._hand_over({found.key: None if event.type == "DELETED" else found})
        self._progress = reflection.heard(self._progress, version)

    def _hand_over(self, changes: Mapping[Key, T | None]) -> None:
        for key, found in changes.items():
            if found is None:
                self._versions.pop(key, None)
            else:
                self._versions[key] = found.metadata.resource_version
        if changes:
            self._take(changes)


D = TypeVar("D")


def _decode(body: bytes | msgspec.Raw, form: type[D]) -> D:
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.MsgspecError as error:
        raise KubernetesError(f"an answer that cannot be read: {error}") from error
