"""The proto contract to the schema of policies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor import FieldDescriptor

from controlplane.model.schema import API_VERSION, Block, Field, Format, Kind, Rules, Schema, Shape, word
from controlplane.sources.blocks import read_value
from mesh.v1 import policy_pb2, schema_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

_SHAPES: Final = {
    FieldDescriptor.TYPE_STRING: Shape.STRING,
    FieldDescriptor.TYPE_BOOL: Shape.BOOLEAN,
    FieldDescriptor.TYPE_DOUBLE: Shape.NUMBER,
    FieldDescriptor.TYPE_UINT32: Shape.INTEGER,
    FieldDescriptor.TYPE_UINT64: Shape.INTEGER,
    FieldDescriptor.TYPE_ENUM: Shape.WORD,
}
_LABEL: Final = Rules(required=True, filled=True, format=Format.NAME)
_SUBDOMAIN: Final = Rules(required=True, filled=True, pattern=r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@cache
def load_schema() -> Schema:
    """The schema of every kind that the contract's `Policy` message can hold."""
    blocks: dict[str, Block] = {}
    kinds = {}
    for field in policy_pb2.Policy.DESCRIPTOR.oneofs_by_name["spec"].fields:
        assert field.message_type is not None  # noqa: S101  # every member of the oneof is a message
        kind = _kind(field.message_type, blocks)
        kinds[kind.name] = kind
    return Schema(kinds=kinds, blocks=blocks)


def _kind(message: Descriptor, blocks: dict[str, Block]) -> Kind:
    options = message.GetOptions().Extensions[schema_pb2.kind_rules]
    spec = _block(message, blocks)
    return Kind(
        name=options.kind,
        short_name=options.short_name,
        api_version=options.api_version or API_VERSION,
        cluster_scoped=options.cluster_scoped,
        singleton=options.singleton,
        spec=spec,
        document=_document(spec, _SUBDOMAIN if options.api_version else _LABEL),
        other_api_versions=tuple(options.other_api_versions),
    )


def _document(spec: Block, name: Rules) -> Block:
    required = Rules(required=True)
    fields = (
        Field(name="apiVersion", shape=Shape.STRING),
        Field(name="kind", shape=Shape.STRING),
        Field(name="metadata", shape=Shape.BLOCK, block=_metadata(name), rules=required),
        Field(name="spec", shape=Shape.BLOCK, block=spec, rules=required),
    )
    return Block(name="Document", fields={field.name: field for field in fields})


def _metadata(name: Rules) -> Block:
    fields = (
        Field(name="name", shape=Shape.STRING, rules=name),
        Field(name="namespace", shape=Shape.STRING, rules=replace(_LABEL, required=False)),
        Field(name="labels", shape=Shape.LABELS),
        Field(name="annotations", shape=Shape.LABELS),
    )
    return Block(name="Metadata", fields={field.name: field for field in fields})


def _block(message: Descriptor, blocks: dict[str, Block]) -> Block:
    if message.name not in blocks:
        fields = [_field(descriptor, blocks) for descriptor in message.fields]
        blocks[message.name] = Block(name=message.name, fields={field.name: field for field in fields})
    return blocks[message.name]


def _field(descriptor: FieldDescriptor, blocks: dict[str, Block]) -> Field:
    options = descriptor.GetOptions().Extensions[schema_pb2.rules]
    shape = _shape(descriptor)
    held = _held(descriptor, shape)
    field = Field(
        name=descriptor.json_name,
        shape=shape,
        repeated=descriptor.is_repeated and shape not in {Shape.LABELS, Shape.MAP},
        block=_block(held, blocks) if held else None,
        words=_words(descriptor),
        rules=_rules(options, descriptor),
    )
    return (
        replace(field, default=read_value(field, options.default_value)) if options.default_value else field
    )


def _shape(descriptor: FieldDescriptor) -> Shape:
    message = descriptor.message_type
    if message is None:
        return _SHAPES[descriptor.type]
    if message.full_name == "google.protobuf.Duration":
        return Shape.DURATION
    if not message.GetOptions().map_entry:
        return Shape.BLOCK
    return Shape.MAP if message.fields_by_name["value"].message_type else Shape.LABELS


def _held(descriptor: FieldDescriptor, shape: Shape) -> Descriptor | None:
    """The message whose fields a field, or each entry of its map, holds."""
    message = descriptor.message_type
    if message is None or shape not in {Shape.BLOCK, Shape.MAP}:
        return None
    return message if shape is Shape.BLOCK else message.fields_by_name["value"].message_type


def _words(descriptor: FieldDescriptor) -> tuple[str, ...]:
    enum = descriptor.enum_type
    return tuple(word(enum.name, value.name) for value in enum.values if value.number) if enum else ()


def _rules(options: schema_pb2.FieldRules, descriptor: FieldDescriptor) -> Rules:
    form = schema_pb2.FieldFormat.Name(options.format).removeprefix("FIELD_FORMAT_")
    return Rules(
        required=options.required,
        filled=bool(options.required or options.format or (options.one_of and not descriptor.has_presence)),
        minimum=options.minimum if options.HasField("minimum") else None,
        maximum=options.maximum if options.HasField("maximum") else None,
        positive=options.positive,
        pattern=options.pattern,
        format=Format[form] if options.format else Format.PLAIN,
        min_items=options.min_items,
        max_items=options.max_items or 64,
        max_length=options.max_length or 253,
        one_of=options.one_of,
    )
