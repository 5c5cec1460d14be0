"""The JSON schema of the chart's values: everything has a type, and nothing undeclared is taken."""

from collections.abc import Iterable
from typing import Any

from tests.support.charts.values import Setting

_HEAD = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart breakwater"}
_SUBCHART = "breakwater-crds"


def values_schema(settings: Iterable[Setting]) -> dict[str, Any]:
    """Return the schema, in the order of the settings; the values of the subchart are left to it."""
    whole: dict[str, Any] = {**_HEAD, **_group()}
    for setting in settings:
        group = whole
        for name in setting.path[:-1]:
            group = group["properties"].setdefault(name, _group())
        group["properties"][setting.path[-1]] = {**_type(setting), "description": setting.text}
    whole["properties"][_SUBCHART] = {"type": "object", "description": "Values of the chart of that name."}
    return whole


def _group() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _type(setting: Setting) -> dict[str, Any]:
    match setting.default:
        case bool():
            return {"type": "boolean"}
        case int():
            least = {"minimum": int(setting.hints["minimum"])} if "minimum" in setting.hints else {}
            return {"type": "integer", **least}
        case str():
            words = setting.hints.get("enum")
            return {"type": "string", **({"enum": words.split(", ")} if words else {})}
        case list():
            return {"type": "array", "items": {"type": setting.hints["items"]}}
        case _ if "free" in setting.hints:
            return {"type": "object"}
        case _:
            raise ValueError(f"{setting.name}: a map of values needs `@free`")
