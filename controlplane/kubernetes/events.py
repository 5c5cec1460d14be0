"""Events of the cluster, about our objects: the same one again raises its count."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from msgspec import Struct

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import MERGE, Call
from controlplane.kubernetes.status import CONTROLLER
from controlplane.kubernetes.times import micro_time
from controlplane.model.schema import API_VERSION

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api
    from controlplane.model.document import ObjectKey

REASONS: Final = frozenset(
    {"Invalid", "RefNotPermitted", "Conflicted", "Overridden", "PartiallyProgrammed", "Rejected"}
)
"""What people should hear of without asking."""

_NOTE_MAX: Final = 1024
_NAME_MAX: Final = 230  # with the rest, less than the 253 characters of a name
_CONFLICT: Final = 409
_CLUSTER_NAMESPACE: Final = "default"  # where events about what lies in none are kept

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happened to an object, in a word and in a sentence."""

    name: ObjectKey
    uid: str
    reason: str
    note: str

    @property
    def namespace(self) -> str:
        """Where the event is kept."""
        return self.name.namespace or _CLUSTER_NAMESPACE

    @property
    def event_name(self) -> str:
        """The same for the same happening, so that it is one event; of a long name, its beginning."""
        text = f"{self.uid} {self.reason} {self.note}"
        beginning = self.name.name[:_NAME_MAX].rstrip(".-")
        return f"{beginning}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class _Series(Struct, frozen=True):
    count: int = 1


class _Event(Struct, frozen=True):
    series: _Series | None = None


class Recorder:
    """Writes events in the name of one replica."""

    def __init__(self, api: Api, instance: str) -> None:
        self._api = api
        self._instance = instance

    async def record(self, happening: Happening) -> None:
        """Writes an event, or counts one more; an event that cannot be written is only logged."""
        events = f"/apis/events.k8s.io/v1/namespaces/{happening.namespace}/events"
        try:
            await self._api.call(Call(method="POST", path=events, body=self._event(happening)))
        except KubernetesError as error:
            if error.status != _CONFLICT:
                log.warning("event not written", object=str(happening.name), reason=str(error))
                return
            await self._repeat(f"{events}/{happening.event_name}", happening)

    async def _repeat(self, path: str, happening: Happening) -> None:
        try:
            known = msgspec.json.decode(await self._api.call(Call(path=path)), type=_Event)
            count = known.series.count + 1 if known.series else 2
            series = {"series": {"count": count, "lastObservedTime": micro_time(datetime.now(UTC))}}
            await self._api.call(Call(method="PATCH", path=path, form=MERGE, body=series))
        except KubernetesError as error:
            log.warning("event not counted", object=str(happening.name), reason=str(error))

    def _event(self, happening: Happening) -> object:
        name = happening.name
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": happening.event_name, "namespace": happening.namespace},
            "eventTime": micro_time(datetime.now(UTC)),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "type": "Warning",
            "reason": happening.reason,
            "note": happening.note[:_NOTE_MAX],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": name.kind,
                "namespace": name.namespace,
                "name": name.name,
                "uid": happening.uid,
            },
        }
