"""Messages of DiscoveryService to and from the values inside."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from controlplane.discovery.exchange import Acknowledgement, Nonce, Response, Stage
from controlplane.discovery.subscription import MAX_WANTED
from controlplane.errors import ProtocolError, TooManyResourcesError
from controlplane.model.resource import Resource, ResourceName, Version
from controlplane.model.sidecar import Hello
from controlplane.wire.codec import (
    TEXT_MAX,
    decode_held,
    decode_rejections,
    decode_resource_names,
    decode_service_name,
    encode_resource_name,
)
from mesh.v1 import discovery_pb2, resource_pb2
from registry.model import ServiceName

_STAGES = {
    discovery_pb2.ACKNOWLEDGEMENT_STAGE_RECEIVED: Stage.RECEIVED,
    discovery_pb2.ACKNOWLEDGEMENT_STAGE_APPLIED: Stage.APPLIED,
}
_MAX_INSTANCE = 253
_MAX_SERVICES = 1_024
_MAX_SHARED = 1024
_MAX_ENCODED = 8
"""Responses that are kept encoded: a change has one for nearly all of its readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a sidecar wants from now on, and no longer."""

    wanted: tuple[ResourceName, ...]
    unwanted: tuple[ResourceName, ...]


def decode_hello(request: discovery_pb2.DiscoveryRequest) -> tuple[Hello, dict[ResourceName, Version]]:
    """Who opened the stream, and the versions it holds, as many as one stream may want.

    Raises:
        ProtocolError: the request is no hello, names nobody, or says more than a sidecar has to say.
    """
    if request.WhichOneof("message") != "hello":
        raise ProtocolError("expected hello in the first message of a stream")
    hello = request.hello
    if not 0 < len(hello.instance) <= _MAX_INSTANCE:
        raise ProtocolError(
            f"expected an instance of 1 to {_MAX_INSTANCE} characters, found {len(hello.instance)}"
        )
    if max(len(hello.version), len(hello.service_account)) > TEXT_MAX:
        raise ProtocolError(f"expected a version and a service account of at most {TEXT_MAX} characters")
    if len(hello.services) > _MAX_SERVICES:
        raise ProtocolError(f"expected at most {_MAX_SERVICES} services, found {len(hello.services)}")
    services = _shared(tuple(map(decode_service_name, hello.services)))
    return (
        Hello(
            instance=hello.instance,
            services=services,
            version=sys.intern(hello.version),
            revision=hello.revision,
            service_account=sys.intern(hello.service_account),
        ),
        decode_held(islice(hello.held, MAX_WANTED)),
    )


@lru_cache(maxsize=_MAX_SHARED)
def _shared(services: tuple[ServiceName, ...]) -> tuple[ServiceName, ...]:
    """The same services, as the one object that all sidecars of a service can share."""
    return services


def decode_request(request: discovery_pb2.DiscoveryRequest) -> Wish | Acknowledgement:
    """What a sidecar says after its hello; kinds of resources that we do not know are left out.

    Raises:
        ProtocolError: it says neither what it wants nor what became of a response.
        TooManyResourcesError: it names more than one stream may want.
    """
    match request.WhichOneof("message"):
        case "subscription":
            wish = request.subscription
            if (found := max(len(wish.subscribe), len(wish.unsubscribe))) > MAX_WANTED:
                raise TooManyResourcesError(limit=MAX_WANTED, found=found)
            return Wish(
                wanted=tuple(decode_resource_names(wish.subscribe)),
                unwanted=tuple(decode_resource_names(wish.unsubscribe)),
            )
        case "acknowledgement":
            return _acknowledgement(request.acknowledgement)
        case other:
            raise ProtocolError(f"expected subscription or acknowledgement after hello, found {other}")


class ResponseEncoder:
    """Encodes responses, once for all sidecars that are told the same."""

    def __init__(self) -> None:
        self._encoded: dict[object, bytes] = {}

    def encode(self, response: Response, get: Callable[[ResourceName], Resource]) -> bytes:
        """A response, with the resources that `get` finds."""
        content = (
            response.nonce,
            response.revision,
            tuple(response.resources.items()),
            response.removed,
            response.missing,
        )
        encoded = self._encoded.get(content)
        if encoded is None:
            if len(self._encoded) >= _MAX_ENCODED:
                self._encoded.clear()
            encoded = self._encoded[content] = _encode(response, map(get, response.resources))
        return encoded


def _encode(response: Response, resources: Iterable[Resource]) -> bytes:
    message = discovery_pb2.DiscoveryResponse(
        nonce=response.nonce,
        revision=response.revision,
        resources=map(_resource, resources),
        removed=map(encode_resource_name, response.removed),
        missing=map(encode_resource_name, response.missing),
    )
    return message.SerializeToString()


def _resource(resource: Resource) -> resource_pb2.Resource:
    return resource_pb2.Resource(
        id=encode_resource_name(resource.name), version=resource.version, body=resource.encoded
    )


def _acknowledgement(message: discovery_pb2.Acknowledgement) -> Acknowledgement:
    stage = _STAGES.get(message.stage)
    if stage is None:
        raise ProtocolError(f"expected stage RECEIVED or APPLIED, found {message.stage}")
    rejections = {one.resource: one for one in decode_rejections(islice(message.rejections, MAX_WANTED))}
    return Acknowledgement(nonce=Nonce(message.nonce), stage=stage, rejections=tuple(rejections.values()))
