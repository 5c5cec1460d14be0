"""Values and documents as YAML text, as a person would write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import yaml

from controlplane.model.schema import Format
from controlplane.model.value import Duration, Value, size_text

if TYPE_CHECKING:
    from controlplane.model.document import Document
    from controlplane.model.schema import Block, Field, Schema

# What reads as a boolean or as nothing in YAML 1.1, whatever a reader's own rules are.
_WORDS: Final = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*", re.ASCII)


def document_text(document: Document, schema: Schema) -> str:
    """A document as YAML; reading it gives an equal document."""
    metadata: dict[str, object] = {"name": document.key.name}
    if document.key.namespace:
        metadata["namespace"] = document.key.namespace
    if document.labels:
        metadata["labels"] = dict(document.labels)
    kind = schema.kinds[document.key.kind]
    whole = {
        "apiVersion": kind.api_version,
        "kind": document.key.kind,
        "metadata": metadata,
        "spec": {name: _plain(value, kind.spec.fields[name]) for name, value in document.spec.items()},
    }
    return yaml.dump(whole, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True)


def value_text(value: Value, field: Field) -> str:
    """A value of `field` as YAML on one line, such as 64Ki, 1m30s or [GET, HEAD]."""
    text = yaml.dump(
        _plain(value, field),
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        width=1 << 20,
        allow_unicode=True,
    )
    return str(text).removesuffix("\n").removesuffix("\n...")


def field_at(block: Block, path: str) -> Field:
    """The field at a path such as `retry.backoff.base` below `block`.

    Raises:
        KeyError: there is none.
    """
    name, _, rest = path.partition(".")
    field = block.fields[name]
    if not rest:
        return field
    if field.block is None:
        raise KeyError(path)
    return field_at(field.block, rest)


def _plain(value: Value, field: Field) -> object:
    """A value as the types that YAML has."""
    match value:
        case Duration():
            return str(value)
        case tuple():
            return [_plain(item, field) for item in value]
        case Mapping() if field.is_map:
            return {name: _plain(item, field.entry) for name, item in value.items()}
        case Mapping():
            members = field.block.fields if field.block else {}
            return {name: _plain(item, members[name]) for name, item in value.items()}
        case bool() | str() | float():
            return value
        case int():
            return size_text(value) if field.rules.format is Format.SIZE else value


class _Dumper(yaml.CSafeDumper):
    """Quotes strings that some reader might take for something else, and writes no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    is_size_or_time = re.fullmatch(r"[0-9]+[A-Za-z][0-9A-Za-z]*", text, re.ASCII) and not re.fullmatch(
        r"0[xob].*|[0-9]+e[0-9]+", text, re.ASCII | re.IGNORECASE
    )
    style = None if is_plain or is_size_or_time else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
