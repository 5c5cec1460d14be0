"""Annotations by which Prometheus finds what an application measures.

They lead to the sidecar instead, which shows that beside its own: no policy then stands in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.injector.operations import Operation
from controlplane.injector.pod import Pod, port_number, texts
from controlplane.injector.probes import written
from controlplane.injector.template import HTTP_PORT, OWN_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCRAPE, _SCHEME = "prometheus.io/scrape", "prometheus.io/scheme"
_PORT, _PATH = "prometheus.io/port", "prometheus.io/path"
_PAGE: Final = "/metrics"
_LED: Final = {_PORT: str(HTTP_PORT), _PATH: _PAGE}


def flags(pod: Pod) -> Iterator[str]:
    """What the sidecar is told of the application's page."""
    replaced = led(pod)
    if replaced:
        yield f"--app-metrics={replaced[_PORT]}{written(replaced.get(_PATH) or _PAGE)}"


def led(pod: Pod) -> Mapping[str, str]:
    """The annotations that are led to the sidecar, as they are; none where it could not ask."""
    found = texts(pod, "annotations")
    number = port_number(found.get(_PORT, ""))
    is_asked = found.get(_SCRAPE) == "true" and found.get(_SCHEME, "http") == "http"
    if not is_asked or number is None or number in OWN_PORTS:
        return {}
    return {name: found[name] for name in _LED if name in found}


def additions(replaced: Mapping[str, str]) -> Iterator[Operation]:
    """Leads them to the sidecar."""
    if replaced:
        for name, value in _LED.items():
            yield Operation("add", ("metadata", "annotations", name), value)


def removals(pod: Pod, replaced: Mapping[str, str]) -> Iterator[Operation]:
    """Leads them to the application again, unless others have changed them."""
    found = texts(pod, "annotations")
    for name, value in _LED.items() if replaced else ():
        if found.get(name) != value:
            continue
        place = ("metadata", "annotations", name)
        yield Operation("add", place, replaced[name]) if name in replaced else Operation("remove", place)
