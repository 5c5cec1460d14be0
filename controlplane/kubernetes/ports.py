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
    "https": Protocol.TLS,
    "tls": Protocol.TLS,
    "kubernetes.io/wss": Protocol.TLS,
    "tcp": Protocol.TCP,
    "mongo": Protocol.TCP,
    "mysql": Protocol.TCP,
    "postgres": Protocol.TCP,
    "redis": Protocol.TCP,
}


def protocol_of(port: ServicePort) -> Protocol | None:
    """What is spoken; `None` if that is not over TCP. An `appProtocol` that nobody knows is not HTTP."""
    if port.protocol != "TCP":
        return None
    if port.app_protocol:
        return _WORDS.get(port.app_protocol.lower(), Protocol.TCP)
    return _WORDS.get(port.name.partition("-")[0], Protocol.DETECT)
