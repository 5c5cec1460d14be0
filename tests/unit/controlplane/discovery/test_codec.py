"""What sidecars may say, and how much of it."""

import pytest

from controlplane.discovery.codec import decode_hello, decode_request
from controlplane.discovery.exchange import Acknowledgement
from controlplane.discovery.subscription import MAX_WANTED
from controlplane.errors import ProtocolError, TooManyResourcesError
from controlplane.wire.codec import TEXT_MAX
from mesh.v1 import discovery_pb2 as pb
from mesh.v1 import registry_pb2, resource_pb2

HOST = resource_pb2.RESOURCE_TYPE_HOST
MANY = MAX_WANTED + 1


def names(count: int) -> list[resource_pb2.ResourceName]:
    return [resource_pb2.ResourceName(type=HOST, name=f"h{number}") for number in range(count)]


def acknowledged(*rejections: pb.Rejection) -> Acknowledgement:
    message = pb.Acknowledgement(nonce="1", stage=pb.ACKNOWLEDGEMENT_STAGE_APPLIED, rejections=rejections)
    decoded = decode_request(pb.DiscoveryRequest(acknowledgement=message))
    assert isinstance(decoded, Acknowledgement)
    return decoded


@pytest.mark.parametrize("field", ["subscribe", "unsubscribe"])
def test_more_names_than_a_stream_may_want_are_not_looked_at(field: str) -> None:
    message = pb.DiscoveryRequest()
    getattr(message.subscription, field).extend(names(MANY))
    with pytest.raises(TooManyResourcesError, match=f"at most {MAX_WANTED} resources"):
        decode_request(message)


def test_as_much_counts_as_held_as_a_stream_may_want() -> None:
    held = [pb.HeldResource(id=name, version="1") for name in names(MANY)]
    _, versions = decode_hello(pb.DiscoveryRequest(hello=pb.Hello(instance="web-0", held=held)))
    assert len(versions) == MAX_WANTED


@pytest.mark.parametrize(
    "hello",
    [
        pb.Hello(instance="web-0", version="x" * (TEXT_MAX + 1)),
        pb.Hello(instance="web-0", service_account="x" * (TEXT_MAX + 1)),
        pb.Hello(instance="web-0", services=[registry_pb2.ServiceName(name="cart")] * 2_000),
    ],
)
def test_hello_that_says_too_much_is_none(hello: pb.Hello) -> None:
    with pytest.raises(ProtocolError, match="at most"):
        decode_hello(pb.DiscoveryRequest(hello=hello))


def test_a_refusal_counts_once_and_is_kept_short() -> None:
    refusal = pb.Rejection(id=names(1)[0], version="1", reason="x" * (TEXT_MAX + 1))
    (rejection,) = acknowledged(*[refusal] * 1_000).rejections
    assert rejection.reason == "x" * TEXT_MAX
