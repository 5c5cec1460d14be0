"""A single value of the policies' schema as OpenAPI has it, bounds included."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from controlplane.model.conditions import WORDS
from controlplane.model.schema import Field, Format, Rules, Shape

OpenApi: TypeAlias = dict[str, Any]

_DURATION: Final = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"  # GEP-2257
_NAME: Final = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_CONDITION: Final = f"^({'|'.join(('[1-5][0-9]{2}', '[1-5]xx', *WORDS))})$"
_FORMATS: Final[Mapping[Format, OpenApi]] = {
    Format.NAME: {"pattern": _NAME, "maxLength": 63},
    Format.HEADER_NAME: {"pattern": "^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$"},
    Format.CIDR: {"pattern": "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", "maxLength": 64},
}


def scalar(field: Field) -> OpenApi:
    """Return the schema of one value of a field that is neither a block nor a map."""
    match field.shape:
        case Shape.WORD:
            return {"type": "string", "enum": list(field.words)}
        case Shape.BOOLEAN:
            return {"type": "boolean", **({"enum": [True]} if field.rules.filled else {})}
        case Shape.DURATION:
            return _duration(field.rules)
        case Shape.INTEGER | Shape.NUMBER:
            return _number(field)
        case _:
            return _string(field.rules)


def _string(rules: Rules) -> OpenApi:
    if rules.format is Format.CONDITION:  # a status may be written as a number
        return _either({"pattern": _CONDITION, "maxLength": 32, "minimum": 100, "maximum": 599})
    if rules.pattern and rules.pattern.replace("|", "").isalnum():
        return {"type": "string", "enum": rules.pattern.split("|")}
    found: OpenApi = {"type": "string", "maxLength": rules.max_length, **_FORMATS.get(rules.format, {})}
    if rules.pattern:
        found["pattern"] = f"^(?:{rules.pattern})$"
    if rules.filled:
        found["minLength"] = 1
    return found


def _number(field: Field) -> OpenApi:
    bounds = _range(field.rules)
    if field.rules.format is Format.SIZE:
        return _either({"pattern": "^[0-9]{1,18}(Ki|Mi|Gi)?$", "maxLength": 21, "minimum": 0, **bounds})
    if field.shape is Shape.NUMBER:
        return {"type": "number", **bounds}
    return {"type": "integer", "format": "int64", "minimum": 0, **bounds}


def _either(values: OpenApi) -> OpenApi:
    """Return the schema of an integer or a string; what says something of one leaves the other alone."""
    return {"x-kubernetes-int-or-string": True, **values}


def _range(rules: Rules) -> OpenApi:
    percent = rules.format is Format.PERCENT
    minimum = 0 if rules.minimum is None and (percent or rules.positive) else rules.minimum
    maximum = 100 if percent and rules.maximum is None else rules.maximum
    found: OpenApi = {} if minimum is None else {"minimum": _plain(minimum)}
    if rules.positive:
        found["exclusiveMinimum"] = True
    if maximum is not None:
        found["maximum"] = _plain(maximum)
    return found


def _plain(bound: float) -> float:
    return int(bound) if bound == int(bound) else bound


def _duration(rules: Rules) -> OpenApi:
    found: OpenApi = {"type": "string", "pattern": _DURATION, "maxLength": 28}
    checks = [{"rule": rule, "message": message} for rule, message in _duration_checks(rules)]
    return {**found, **({"x-kubernetes-validations": checks} if checks else {})}


def _duration_checks(rules: Rules) -> Iterator[tuple[str, str]]:
    if rules.positive:
        yield "duration(self) > duration('0s')", "expected more than zero"
    elif rules.minimum is not None:
        yield (
            f"duration(self) >= duration('{_seconds(rules.minimum)}')",
            f"expected at least {rules.minimum:g}s",
        )
    if rules.maximum is not None:
        text = _seconds(rules.maximum)
        yield f"duration(self) <= duration('{text}')", f"expected at most {text}"


def _seconds(bound: float) -> str:
    return f"{round(bound * 1000)}ms" if bound != int(bound) else f"{int(bound)}s"
