"""Keeps the status of every object what it should be, while this replica leads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import structlog

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import APPLY, Call
from controlplane.kubernetes.due import COUNTS_SECONDS
from controlplane.kubernetes.events import REASONS, Happening, Recorder
from controlplane.kubernetes.objects import Custom
from controlplane.kubernetes.plan import Change, Plan
from controlplane.kubernetes.reconcile import View
from controlplane.kubernetes.resources import resource_of
from controlplane.kubernetes.seen import Seen
from controlplane.kubernetes.status import encode_status, news
from controlplane.policy import route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.leader import Leader
    from controlplane.kubernetes.source import KubernetesSource
    from controlplane.model.document import ObjectKey
    from controlplane.model.schema import Schema
    from controlplane.model.sidecar import PolicyConvergence
    from controlplane.snapshot.build import Snapshot
    from controlplane.sources.desired import Desired
    from registry.clock import Clock

FIELD_MANAGER: Final = "breakwater"
TICK_SECONDS: Final = 0.2
WRITES_PER_TICK: Final = 10
"""At most fifty statuses a second, so that nobody else waits for the API server on our account."""

_GONE: Final = 404
_LONGEST_DELAY_SECONDS: Final = 10.0
_NS: Final = 1_000_000_000

log = structlog.get_logger()


class Mesh(Protocol):
    """What is in force, and how far the sidecars of all replicas are with it."""

    @property
    def desired(self) -> Desired:
        """The documents in force, and what is wrong with others."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """What sidecars are offered."""
        ...

    def revision_of(self, key: ObjectKey) -> int:
        """The revision at which an object came as it is."""
        ...

    async def convergence(self) -> Mapping[ObjectKey, PolicyConvergence]:
        """How far connected sidecars are with each policy that concerns any."""
        ...


class Writer:
    """Writes the status of one object, and the events that go with it."""

    def __init__(self, api: Api, schema: Schema, recorder: Recorder) -> None:
        self._api = api
        self._schema = schema
        self._recorder = recorder

    async def write(self, change: Change) -> Custom | None:
        """The object as it is then; `None` if it is gone.

        Raises:
            KubernetesError: nothing was written, as far as we know, or the object is another by now.
        """
        try:
            body = await self._api.call(self._call(change))
        except KubernetesError as error:
            if error.status == _GONE:
                return None
            raise
        for condition in news(change.before, change.after):
            if condition.reason in REASONS:
                uid = change.custom.metadata.uid
                await self._recorder.record(
                    Happening(name=change.name, uid=uid, reason=condition.reason, note=condition.message)
                )
        return msgspec.json.decode(body, type=Custom)

    def _call(self, change: Change) -> Call:
        name, kind = change.name, self._schema.kinds[change.name.kind]
        known, is_route = change.custom.metadata, name.kind in route.KINDS
        metadata = {"name": name.name, "uid": known.uid}
        metadata |= {"namespace": name.namespace} if name.namespace else {}
        # Others write into the same list of a route, which is replaced as a whole: by what they said last.
        metadata |= {"resourceVersion": known.resource_version} if is_route else {}
        has_ancestors = "targetRefs" in kind.spec.fields
        return Call(
            method="PATCH",
            path=resource_of(kind).path_of(name.namespace, name.name) + "/status",
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            form=APPLY,
            body={
                "apiVersion": kind.api_version,
                "kind": name.kind,
                "metadata": metadata,
                "status": encode_status(change.after, is_route=is_route, has_ancestors=has_ancestors),
            },
        )


class Controller:
    """Looks five times a second whether anything is new, and writes what that changes."""

    def __init__(
        self, source: KubernetesSource, mesh: Mesh, leader: Leader, writer: Writer, clock: Clock
    ) -> None:
        self._source = source
        self._mesh = mesh
        self._leader = leader
        self._writer = writer
        self._clock = clock
        self._plan = Plan()
        self._seen = Seen()
        self._counted_ns = 0
        self._failures = 0

    async def run(self) -> None:
        """Writes statuses until cancelled, whenever the lead is ours."""
        while True:
            await self._clock.sleep(TICK_SECONDS)
            if not self._leader.is_leading:
                self._seen, self._plan = Seen(), Plan()
            elif self._is_news():
                await self._look()

    def _is_news(self) -> bool:
        is_old = self._clock.now_ns() - self._counted_ns >= COUNTS_SECONDS * _NS
        return is_old or self._plan.is_waiting or not self._seen.has(*self._inputs())

    def _inputs(self) -> tuple[object, ...]:
        """What statuses depend on beside the counts."""
        return self._mesh.desired, self._mesh.snapshot, self._source.position

    async def _look(self) -> None:
        self._seen.note(*self._inputs())
        self._counted_ns = self._clock.now_ns()
        view = View(
            desired=self._mesh.desired,
            snapshot=self._mesh.snapshot,
            convergence=await self._mesh.convergence(),
            revision_of=self._mesh.revision_of,
        )
        now = datetime.now(UTC).replace(microsecond=0)
        objects = self._source.objects
        changes = await asyncio.to_thread(self._plan.changes, objects, view, now, self._clock.now_ns())
        await self._write_all(changes)

    async def _write_all(self, changes: tuple[Change, ...]) -> None:
        """Writes statuses in turn, unless there is something new to say meanwhile."""
        for start in range(0, len(changes), WRITES_PER_TICK):
            if start:
                await self._clock.sleep(TICK_SECONDS)
            is_news = not self._seen.has(*self._inputs())
            is_outdated = start > 0 and (is_news or not self._leader.is_leading)
            if is_outdated or not await self._write(changes[start : start + WRITES_PER_TICK]):
                return

    async def _write(self, changes: tuple[Change, ...]) -> bool:
        """Whether the server took all of them."""
        for change in changes:
            try:
                custom = await self._writer.write(change)
            except KubernetesError as error:
                await self._stay_away(change, error)
                return False
            self._failures = 0
            self._plan.wrote(change, self._clock.now_ns())
            if custom is not None:
                self._source.note(change.name, change.custom, custom)
        return True

    async def _stay_away(self, change: Change, error: KubernetesError) -> None:
        """Lets the server be for a while; what was to be written then is still to be."""
        log.warning("status not written", object=str(change.name), reason=str(error))
        seconds = min(TICK_SECONDS * 2.0**self._failures, _LONGEST_DELAY_SECONDS)
        self._failures += 1
        await self._clock.sleep(max(seconds, error.retry_after_seconds))
