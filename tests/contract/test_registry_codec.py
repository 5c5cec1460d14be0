"""Registrations survive the wire, and what is not one is refused."""

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from mesh.v1 import registry_pb2 as pb
from registry.catalog import Catalog, Registered, Removed, apply
from registry.codec import (
    decode_event,
    decode_register_request,
    decode_service,
    decode_ttl,
    encode_registration,
    encode_service,
)
from registry.config import LEASE_SECONDS
from registry.errors import DecodeError, InvalidRegistrationError
from registry.keys import PREFIX, registration_key
from registry.model import (
    Contract,
    Endpoint,
    Health,
    InstanceId,
    Protocol,
    Registration,
    Revision,
    ServiceName,
    ServicePort,
)
from registry.store import Delete, Entry, Put
from tests.support.registrations import CART, registration

texts = st.text(max_size=20)
ports = st.integers(0, 65535)
names = st.builds(ServiceName, namespace=texts, name=texts)
service_ports = st.builds(ServicePort, name=texts, port=ports, protocol=st.sampled_from(Protocol))
contracts = st.builds(
    Contract,
    owner=texts,
    version=texts,
    idempotent_methods=st.sets(texts, max_size=3).map(lambda methods: tuple(sorted(methods))),
    documentation=texts,
)
endpoints = st.builds(
    Endpoint,
    instance=texts.map(InstanceId),
    address=texts,
    ports=st.dictionaries(texts, ports, max_size=3),
    labels=st.dictionaries(texts, texts, max_size=3),
    has_sidecar=st.booleans(),
    health=st.sampled_from(Health),
)
registrations = st.builds(
    Registration,
    service=names,
    ports=st.lists(service_ports, max_size=3).map(tuple),
    contract=contracts,
    endpoint=endpoints,
)


def key_of(what: Registration) -> str:
    return registration_key(what.service, what.endpoint.instance)


def put(key: str, value: bytes) -> Put:
    return Put(entry=Entry(key=key, value=value, revision=Revision(7)))


@given(registrations)
def test_registration_survives_the_store(what: Registration) -> None:
    event = decode_event(put(key_of(what), encode_registration(what)))

    assert event == Registered(registration=what, revision=Revision(7), entered=Revision(7))


@given(registrations)
def test_a_registration_written_again_remembers_when_it_entered(what: Registration) -> None:
    event = decode_event(put(key_of(what), encode_registration(what, entered=Revision(3))))

    assert event == Registered(registration=what, revision=Revision(7), entered=Revision(3))


def entered(what: Registration) -> Registered:
    return Registered(registration=what, revision=Revision(1), entered=Revision(1))


@given(registrations)
def test_service_survives_the_wire_with_its_endpoints(what: Registration) -> None:
    catalog, _ = apply(Catalog(revision=Revision(0)), [entered(what)])
    service = catalog.services[what.service]
    view = decode_service(encode_service(service, with_endpoints=True))

    assert (view.name, view.ports, view.contract) == (service.name, service.ports, service.contract)
    assert (view.endpoints, view.endpoint_count) == (service.endpoints, 1)


def test_equal_registrations_have_equal_bytes() -> None:
    labels = {"a": "1", "b": "2"}
    one, other = (
        Registration(
            service=CART,
            ports=(),
            endpoint=Endpoint(instance=InstanceId("a"), address="", ports={}, labels=dict(items)),
        )
        for items in (labels.items(), reversed(labels.items()))
    )

    assert encode_registration(one) == encode_registration(other)


def test_deletion_names_the_instance_by_its_key() -> None:
    key = registration_key(CART, InstanceId("host-1:15006"))
    event = decode_event(Delete(key=key, revision=Revision(7)))

    assert event == Removed(service=CART, instance=InstanceId("host-1:15006"), revision=Revision(7))


def test_bytes_that_are_no_registration_are_refused_with_their_key() -> None:
    with pytest.raises(DecodeError, match="expected a registration under '/any'"):
        decode_event(put("/any", b"\xff"))


def test_a_registration_under_another_key_is_none() -> None:
    with pytest.raises(DecodeError, match="expected this registration under"):
        decode_event(put(key_of(registration("b")), encode_registration(registration("a"))))


@pytest.mark.parametrize("key", [PREFIX + "note", PREFIX + "shop/cart/a/b"])
def test_a_key_that_names_no_instance_is_none_of_ours(key: str) -> None:
    with pytest.raises(DecodeError, match="expected /breakwater/registry"):
        decode_event(Delete(key=key, revision=Revision(7)))


def test_numbers_of_a_later_release_are_problems_with_their_fields() -> None:
    request = pb.RegisterRequest.FromString(encode_registration(registration()))
    request.ports[0].protocol = 99  # type: ignore[assignment]  # what a later release might send
    request.endpoint.health = 99  # type: ignore[assignment]  # the same

    with pytest.raises(InvalidRegistrationError) as caught:
        decode_register_request(request)
    assert [problem.path for problem in caught.value.problems] == ["ports[0].protocol", "endpoint.health"]


def test_port_without_a_protocol_speaks_http() -> None:
    request = pb.RegisterRequest(ports=[pb.ServicePort(name="http", port=80)])

    assert decode_register_request(request).ports[0].protocol is Protocol.HTTP


def test_time_to_live_is_that_of_every_lease_when_the_request_names_none() -> None:
    assert decode_ttl(pb.RegisterRequest()) == LEASE_SECONDS
    assert decode_ttl(pb.RegisterRequest(ttl=Duration(seconds=7, nanos=500_000_000))) == 7.5
