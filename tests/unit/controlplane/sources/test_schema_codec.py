"""The schema, as read from the contract."""

from controlplane.model.schema import Block, Field, Shape
from controlplane.model.value import Duration
from tests.support.builders import SCHEMA


def every_field(block: Block) -> list[Field]:
    fields = list(block.fields.values())
    return fields + [inner for field in fields if field.block for inner in every_field(field.block)]


def test_the_schema_has_every_kind_of_the_contract() -> None:
    assert {kind.name: kind.short_name for kind in SCHEMA.kinds.values()} == {
        "ResiliencePolicy": "resp",
        "RateLimitPolicy": "rlp",
        "BackpressurePolicy": "bpp",
        "Mesh": "mesh",
        "ExternalService": "exs",
        "SidecarProfile": "scp",
        "ReferenceGrant": "refgrant",
        "FaultPolicy": "fip",
        "HTTPRoute": "httproute",
        "GRPCRoute": "grpcroute",
    }


def test_names_are_those_of_json() -> None:
    assert "maxStreamDuration" in SCHEMA.blocks["Timeouts"].fields


def test_words_are_camel_case_but_for_names_of_protocols() -> None:
    assert SCHEMA.blocks["Retry"].fields["strategy"].words[-2:] == ("FullJitter", "Decorrelated")
    assert SCHEMA.blocks["ExternalPort"].fields["protocol"].words == (
        "HTTP",
        "HTTP2",
        "GRPC",
        "TLS",
        "TCP",
        "Detect",
    )


def test_defaults_are_read_as_their_fields_read_values() -> None:
    assert SCHEMA.blocks["Timeouts"].fields["request"].default == Duration(15_000_000_000)
    assert SCHEMA.blocks["Retry"].fields["replayBytes"].default == 65536
    assert SCHEMA.blocks["BreakerRules"].fields["trip"].default == {"errorRate": 50, "consecutiveFailures": 5}


def test_no_field_needs_both_a_value_and_none() -> None:
    for kind in SCHEMA.kinds.values():
        for field in every_field(kind.spec):
            assert not (field.rules.required and field.default is not None), field.name


def test_every_block_field_has_a_block_and_every_word_field_words() -> None:
    for kind in SCHEMA.kinds.values():
        for field in every_field(kind.spec):
            assert (field.block is not None) == (field.shape in {Shape.BLOCK, Shape.MAP}), field.name
            assert bool(field.words) == (field.shape is Shape.WORD), field.name
