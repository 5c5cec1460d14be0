"""The Services of a cluster, their slices and pods, joined as they come, in any order."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from controlplane.kubernetes.objects import EndpointSlice, Key, Object
from controlplane.kubernetes.services import SERVICE_LABEL, service_of
from registry.model import ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.kubernetes.objects import Service
    from registry import catalog

T = TypeVar("T", bound=Object)


class Index:
    """What was taken so far; `update` describes anew only the services that it concerns.

    `taken` counts how often some of `services` changed.
    """

    def __init__(self) -> None:
        self.services: dict[Key, Service] = {}
        self.taken = 0
        self._slices: dict[Key, EndpointSlice] = {}
        self._pods: dict[str, dict[str, Object]] = defaultdict(dict)
        self._slices_of: dict[Key, set[Key]] = defaultdict(set)  # by service, and by pod
        self._stale: set[Key] = set()

    @property
    def is_stale(self) -> bool:
        """Whether something was taken since the last update."""
        return bool(self._stale)

    def take_services(self, changes: Mapping[Key, Service | None]) -> None:
        """Takes Services that changed."""
        _replace(self.services, changes)
        self.taken += 1
        self._stale.update(changes)

    def take_slices(self, changes: Mapping[Key, EndpointSlice | None]) -> None:
        """Takes EndpointSlices that changed."""
        for key, found in changes.items():
            if known := self._slices.pop(key, None):
                self._leave(key, known)
            if found is not None:
                self._slices[key] = found
                self._enter(key, found)

    def take_pods(self, changes: Mapping[Key, Object | None]) -> None:
        """Takes pods that changed."""
        for key, found in changes.items():
            pods = self._pods[key.namespace]
            known = pods.pop(key.name, None)
            if found is not None:
                pods[key.name] = found
            if not pods:
                del self._pods[key.namespace]
            if _said(known) != _said(found):
                for each in self._slices_of.get(_pod(key), ()):
                    self._stale.update(_service(self._slices[each]))

    def update(self, known: Mapping[ServiceName, catalog.Service]) -> Mapping[ServiceName, catalog.Service]:
        """The services as of now, sorted by name; `known` itself if none is another."""
        stale, self._stale = self._stale, set()
        services = dict(known)
        for key in stale:
            name = ServiceName(namespace=key.namespace, name=key.name)
            service = self._describe(key)
            if service is None:
                services.pop(name, None)
            else:
                services[name] = service
        if services == known:
            return known
        return services if services.keys() <= known.keys() else dict(sorted(services.items()))

    def _describe(self, key: Key) -> catalog.Service | None:
        service = self.services.get(key)
        if service is None:
            return None
        slices = [self._slices[each] for each in self._slices_of.get(key, ())]
        return service_of(service, slices, self._pods.get(key.namespace, {}))

    def _enter(self, key: Key, found: EndpointSlice) -> None:
        for subject in _subjects(found):
            self._slices_of[subject].add(key)
        self._stale.update(_service(found))

    def _leave(self, key: Key, known: EndpointSlice) -> None:
        for subject in _subjects(known):
            self._slices_of[subject].discard(key)
            if not self._slices_of[subject]:
                del self._slices_of[subject]
        self._stale.update(_service(known))


def _subjects(found: EndpointSlice) -> set[Key]:
    """The service of a slice and the pods in it."""
    namespace = found.metadata.namespace
    pods = {
        _pod(Key(namespace, endpoint.target_ref.name))
        for endpoint in found.endpoints or ()
        if endpoint.target_ref and endpoint.target_ref.kind == "Pod"
    }
    return pods | set(_service(found))


def _service(found: EndpointSlice) -> Iterator[Key]:
    """The service of a slice, if it names one."""
    if name := found.metadata.labels.get(SERVICE_LABEL):
        yield Key(found.metadata.namespace, name)


def _pod(key: Key) -> Key:
    """How a pod is told from a service of its name: no name has a slash."""
    return Key(key.namespace, f"pod/{key.name}")


def _said(pod: Object | None) -> object:
    return (pod.metadata.labels, pod.metadata.annotations) if pod else None


def _replace(known: dict[Key, T], changes: Mapping[Key, T | None]) -> None:
    for key, found in changes.items():
        if found is None:
            known.pop(key, None)
        else:
            known[key] = found
