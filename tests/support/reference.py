"""The reference page of all policy fields. `python -m tests.support.reference` writes it anew.

Types, defaults and bounds come from the schema, what a field means from its comment in the contract: those
are not in the generated code, so the contract is compiled once more, with its comments.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc  # type: ignore[import-untyped]  # it has no types

from controlplane.model.schema import API_VERSION, Block, Field, Format, Kind, Schema, Shape, word
from controlplane.model.text import value_text
from controlplane.sources.codec import load_schema

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "policies" / "reference.md"
Comments = Mapping[str, str]

_HEAD = f"""\
# Reference of the policies

Generated from the contract in `proto/mesh/v1` by `make docs`. Every document begins with
`apiVersion: {API_VERSION}` unless its kind says otherwise, `kind` and `metadata` (`name`, `namespace` unless
the kind has none, `labels`, `annotations`).

Durations are written as `250ms` or `1m30s`, sizes as `65536` or `64Ki`, percentages as numbers from 0 to 100.
A default applies only inside a block that is present; a block with the default `{{}}` is always there. What
is not on this page is refused.
"""


def build() -> str:
    """The page."""
    schema, comments = load_schema(), read_comments()
    parts = [_HEAD, *(_kind(kind, comments) for kind in schema.kinds.values())]
    parts += ["## Blocks\n", *(_block(block, comments) for block in _inner_blocks(schema))]
    return "\n".join(parts)


def read_comments() -> Comments:
    """The comment of every message and field of the contract, by `Message` and `Message.field`.

    Under `Message.field.words` is what each word of a closed list means, and under `Message.kind` what the
    file is about.
    """
    files = [file for file in _compile().file if file.package == "mesh.v1"]
    found = {name: text for file in files for name, text in _comments_of(file)}
    for file in files:
        for message in file.message_type:
            for field in message.field:
                enum = field.type_name.rpartition(".")[2]
                found[f"{message.name}.{field.json_name}.words"] = found.get(f"{enum}.words", "")
    return found


def _compile() -> FileDescriptorSet:
    sources, include = ROOT / "proto", resources.files("grpc_tools") / "_proto"
    files = [str(path) for path in sorted((sources / "mesh").rglob("*.proto"))]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract"
        options = [f"-I{sources}", f"-I{include}", f"--descriptor_set_out={out}", "--include_source_info"]
        if protoc.main(["protoc", *options, *files]) != 0:
            raise RuntimeError("the proto compiler refused a file; see its message above")
        return FileDescriptorSet.FromString(out.read_bytes())


def _comments_of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    words: dict[str, list[str]] = {}
    for location in file.source_code_info.location:
        text = _camel(" ".join(location.leading_comments.split()))
        match tuple(location.path):
            case (2,):
                yield from ((f"{message.name}.kind", text) for message in file.message_type)
            case (4, message):
                yield file.message_type[message].name, text
            case (4, message, 2, field):
                parent = file.message_type[message]
                yield f"{parent.name}.{parent.field[field].json_name}", text
            case (5, number, 2, value) if value:
                enum = file.enum_type[number]
                written = word(enum.name, enum.value[value].name)
                words.setdefault(enum.name, []).append(f"`{written}`: {text}")
            case _:
                pass
    for name, lines in words.items():
        yield f"{name}.words", " ".join(lines)


def _camel(text: str) -> str:
    """Names of fields as they are written in YAML."""
    return re.sub(r"\b[a-z]+(_[a-z]+)+\b", lambda match: _camel_name(match[0]), text)


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _inner_blocks(schema: Schema) -> Iterator[Block]:
    """The blocks that fields hold, each once, in the order they are met."""
    specs = {kind.spec.name for kind in schema.kinds.values()}
    seen: dict[str, Block] = {}
    for kind in schema.kinds.values():
        _collect(kind.spec, seen)
    return (block for name, block in seen.items() if name not in specs)


def _collect(block: Block, seen: dict[str, Block]) -> None:
    if block.name not in seen:
        seen[block.name] = block
        for field in block.fields.values():
            if field.block is not None:
                _collect(field.block, seen)


def _kind(kind: Kind, comments: Comments) -> str:
    scope = "no namespace; the only one is named `default`" if kind.singleton else "namespaced"
    version = "" if kind.is_ours else f"`apiVersion: {'` or `'.join(kind.api_versions)}`; s"
    head = f"## {kind.name}\n\n{version or 'S'}hort name `{kind.short_name}`; {scope}. Fields of `spec`:\n"
    return "\n".join([head, _table(kind.spec, comments)])


def _block(block: Block, comments: Comments) -> str:
    return "\n".join([f"### {block.name}\n", comments[block.name], "", _table(block, comments)])


def _table(block: Block, comments: Comments) -> str:
    lines = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    for field in block.fields.values():
        comment = comments[f"{block.name}.{field.name}"]
        words = comments[f"{block.name}.{field.name}.words"]
        meaning = f"{comment.partition(' Set by ')[0]} {words}".rstrip()
        cells = [
            f"`{field.name}`",
            _type(field),
            default(field, comment),
            f"{meaning}{bounds(field, block)}",
        ]
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _type(field: Field) -> str:
    block = f"[{field.block.name}](#{field.block.name.lower()})" if field.block else ""
    names = {
        Shape.STRING: "string",
        Shape.INTEGER: "size" if field.rules.format is Format.SIZE else "integer",
        Shape.NUMBER: "percent" if field.rules.format is Format.PERCENT else "number",
        Shape.BOOLEAN: "boolean",
        Shape.DURATION: "duration",
        Shape.LABELS: "map of strings",
        Shape.WORD: ", ".join(f"`{each}`" for each in field.words),
        Shape.BLOCK: block,
        Shape.MAP: f"map of {block}",
    }
    return f"list of {names[field.shape]}" if field.repeated else names[field.shape]


def default(field: Field, comment: str) -> str:
    """The default as the schema states it, or else as the comment does in words."""
    if field.rules.required:
        return "required"
    if field.default is None:
        in_words = re.search(r"Set by .*?, default (.+)\.$", comment)
        return in_words[1] if in_words else ""
    return "`{}`" if field.default == {} else f"`{value_text(field.default, field)}`"


def bounds(field: Field, block: Block) -> str:
    """What restricts a field, in words."""
    rules = field.rules
    unit = "s" if field.shape is Shape.DURATION else ""
    parts = ["More than zero."] if rules.positive else []
    if rules.minimum is not None and rules.maximum is not None:
        parts.append(f"From {rules.minimum:,.15g}{unit} to {rules.maximum:,.15g}{unit}.")
    elif rules.maximum is not None:
        parts.append(f"At most {rules.maximum:,.15g}{unit}.")
    if field.repeated or field.shape is Shape.MAP:
        parts.append(f"At most {rules.max_items} entries.")
    siblings = ", ".join(f"`{name}`" for name in block.siblings(field.name))
    if siblings:
        parts.append(f"Excludes {siblings}.")
    return "".join(f" {part}" for part in parts)


def rewrite() -> None:
    """Writes the page anew."""
    PAGE.write_text(build(), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
