"""The checks of a definition, evaluated without a cluster."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import cel

from tests.support.crds.scalars import OpenApi

RESERVED: Final = frozenset({"namespace"})  # the words of CEL that fields are named by


def broken_checks(schema: OpenApi, value: Any) -> Iterator[str]:
    """Yield the message of every check that a value breaks, its members first."""
    match value:
        case Mapping():
            for name, member in value.items():
                inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
                yield from broken_checks(inner, member)
        case list():
            for item in value:
                yield from broken_checks(schema["items"], item)
    for check in schema.get("x-kubernetes-validations", ()):
        if not cel.evaluate(check["rule"], {"self": _escaped(value)}):
            yield check["message"]


def _escaped(value: Any) -> Any:
    match value:
        case Mapping():
            return {f"__{k}__" if k in RESERVED else k: _escaped(v) for k, v in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case _:
            return value
