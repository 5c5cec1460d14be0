"""Policies from custom resources: each object a unit, as the reflectors bring it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from controlplane.kubernetes import codec
from controlplane.kubernetes.resources import resource_of
from controlplane.kubernetes.watch import Reflector
from controlplane.sources.source import CLUSTER, Reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.kubernetes.api import Api
    from controlplane.kubernetes.objects import Custom, Key
    from controlplane.kubernetes.territory import Territory
    from controlplane.model.document import ObjectKey
    from controlplane.model.schema import Kind, Schema
    from controlplane.sources.reader import Parsed
    from registry.clock import Clock


class KubernetesSource:
    """The objects of every kind of the schema, read by `run`."""

    name = CLUSTER

    def __init__(self, api: Api, schema: Schema, territory: Territory, clock: Clock) -> None:
        self._schema = schema
        self._territory = territory
        self._objects: dict[ObjectKey, Custom] = {}
        self._unread: dict[ObjectKey, tuple[Kind, Custom | None]] = {}
        self._changed = asyncio.Event()
        self._position = 0
        self._reflectors = tuple(
            Reflector(api, resource_of(kind), partial(self._take, kind), clock)
            for kind in schema.kinds.values()
        )

    @property
    def objects(self) -> Mapping[ObjectKey, Custom]:
        """Every object whose status is ours to say, as the API server has it now, sound or not."""
        kinds = self._schema.kinds
        return {
            name: one
            for name, one in self._objects.items()
            if self._territory.holds(one.metadata) and codec.has_our_status(kinds[name.kind], one)
        }

    @property
    def position(self) -> int:
        """Grows whenever an object says something else, or another control plane is to speak of it.

        Its status aside: what we write there is no news.
        """
        return self._position + self._territory.taken

    def note(self, name: ObjectKey, before: Custom, after: Custom) -> None:
        """Takes an object as the answer to a write shows it, unless the watch has shown it since `before`."""
        if self._objects.get(name) is before:
            version = after.metadata.resource_version
            metadata = msgspec.structs.replace(before.metadata, resource_version=version)
            self._objects[name] = msgspec.structs.replace(before, metadata=metadata, status=after.status)

    async def run(self) -> None:
        """Follows all kinds until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors:
                tasks.create_task(reflector.run())

    async def watch(self) -> AsyncIterator[Reading]:
        """All objects, once every kind was listed; and then those that changed."""
        for reflector in self._reflectors:
            await reflector.synced()
        position = 0
        while True:
            self._changed.clear()
            unread, self._unread = self._unread, {}
            units = await asyncio.to_thread(self._read, unread)
            position += 1
            yield Reading(source=self.name, units=units, position=position)
            await self._changed.wait()

    def _take(self, kind: Kind, changes: Mapping[Key, Custom | None]) -> None:
        for key, custom in changes.items():
            name = codec.key_of(kind, key)
            known = self._objects.pop(name, None)
            if custom is not None:
                self._objects[name] = custom
            if known is None or custom is None or not _says_the_same(known, custom):
                self._position += 1
                self._unread[name] = kind, custom
                self._changed.set()

    def _read(self, unread: Mapping[ObjectKey, tuple[Kind, Custom | None]]) -> dict[str, Parsed | None]:
        """Units by name; half a millisecond each, off the event loop."""
        return {
            codec.unit_of(name): codec.decode(kind, custom, self._schema)
            if custom is not None and codec.concerns_us(kind, custom)
            else None
            for name, (kind, custom) in unread.items()
        }


def _says_the_same(known: Custom, custom: Custom) -> bool:
    """Whether only what we write ourselves, or nobody reads, is another: a status, an annotation."""
    one, other = known.metadata, custom.metadata
    return (one.uid, one.generation, one.labels) == (other.uid, other.generation, other.labels)
