"""What is spoken on a port of a Service, as `appProtocol` or the port's name says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.model import Protocol

if TYPE_CHECKING:
    from controlplane.kubernetes.objects import ServicePort

_WORDS: Final = {
    "http": Protocol.HTTP,
    "kubernetes.io/ws": Protocol.HTTP,
    "http2": Protocol.HTTP2,
    "h2c": Protocol.HTTP2,
    "kubernetes.io/h2c": Protocol.HTTP2,
    "grpc": Protocol.GRPC,
}


def protocol_of(port: ServicePort) -> Protocol | None:
    """What is spoken; HTTP if nobody says, and `None` if it is nothing that the mesh speaks."""
    if port.protocol != "TCP":
        return None
    if port.app_protocol:
        return _WORDS.get(port.app_protocol.lower())
    return _WORDS.get(port.name.partition("-")[0], Protocol.HTTP)
