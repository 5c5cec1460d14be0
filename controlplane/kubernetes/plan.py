"""Which statuses are to be written now, given all that they are a function of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from controlplane.kubernetes.due import is_due
from controlplane.kubernetes.reconcile import View, reconcile
from controlplane.kubernetes.status import Status, decode_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controlplane.kubernetes.objects import Custom
    from controlplane.model.document import ObjectKey

_NS: Final = 1_000_000_000
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A status to write, and what it replaces."""

    name: ObjectKey
    custom: Custom
    before: Status
    after: Status


class Plan:
    """Remembers since when a status differs from what it should be, and when it was last written."""

    def __init__(self) -> None:
        self._differs_ns: dict[ObjectKey, int] = {}
        self._written_ns: dict[ObjectKey, int] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether some status is not what it should be, and will be written later."""
        return bool(self._differs_ns)

    def changes(
        self, objects: Mapping[ObjectKey, Custom], view: View, now: datetime, now_ns: int
    ) -> tuple[Change, ...]:
        """The statuses to write now, those first that are due the longest."""
        differing = {change.name: change for change in _differing(objects, view, now)}
        self._differs_ns = {name: self._differs_ns.get(name, now_ns) for name in differing}
        self._written_ns = {name: at for name, at in self._written_ns.items() if name in objects}
        due = [name for name, change in differing.items() if self._is_due(change, now_ns)]
        return tuple(differing[name] for name in sorted(due, key=lambda name: self._differs_ns[name]))

    def wrote(self, change: Change, now_ns: int) -> None:
        """Notes that a status was written."""
        self._differs_ns.pop(change.name, None)
        self._written_ns[change.name] = now_ns

    def _is_due(self, change: Change, now_ns: int) -> bool:
        written_ns = self._written_ns.get(change.name)
        return is_due(
            change.before,
            change.after,
            differs_seconds=(now_ns - self._differs_ns[change.name]) / _NS,
            written_seconds=_NEVER if written_ns is None else (now_ns - written_ns) / _NS,
        )


def _differing(objects: Mapping[ObjectKey, Custom], view: View, now: datetime) -> list[Change]:
    found = []
    for name, custom in objects.items():
        wanted = reconcile(view, name, custom)
        if wanted is not None:
            before = decode_status(custom.status)
            after = wanted.after(before, now)
            if after != before:
                found.append(Change(name=name, custom=custom, before=before, after=after))
    return found
