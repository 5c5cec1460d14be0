"""What a field's rules say about a value that already has the right type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from controlplane.model.conditions import WORDS, is_condition
from controlplane.model.schema import Field, Format, Rules, Shape
from controlplane.model.value import Duration, Value, parse_network
from controlplane.sources.scalars import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_ALTERNATIVES: Final = re.compile(r"\w+(\|\w+)+", re.ASCII)


def check(field: Field, value: Value) -> Iterator[str]:
    """What is wrong with one value of `field`; each message says what was expected and found."""
    match value:
        case bool():
            if field.rules.filled and not value:
                yield "expected true, found false"
        case Duration():
            yield from _range(field, value.seconds, str(value))
        case int() | float():
            yield from _range(field, value, f"{value:g}" if isinstance(value, float) else str(value))
        case str():
            yield from _string(field.rules, value)
        case _:
            return


def check_count(field: Field, count: int) -> Iterator[str]:
    """What is wrong with the number of entries of a list or map."""
    rules = field.rules
    if count < rules.min_items:
        yield f"expected at least {_entries(rules.min_items)}, found {count}"
    if count > rules.max_items:
        yield f"expected at most {_entries(rules.max_items)}, found {count}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def check_key(field: Field, key: str) -> Iterator[str]:
    """What is wrong with a key of a map of blocks."""
    if field.shape is Shape.MAP:
        yield from _string(field.rules, key)


def _range(field: Field, value: float, text: str) -> Iterator[str]:
    rules = field.rules
    percent = rules.format is Format.PERCENT
    unsigned = percent or field.shape is Shape.INTEGER
    minimum = 0 if unsigned and rules.minimum is None else rules.minimum
    maximum = 100 if percent and rules.maximum is None else rules.maximum
    if rules.positive and value <= 0:
        yield f"expected more than zero, found {text}"
    elif minimum is not None and value < minimum:
        yield f"expected at least {_bound(field, minimum)}, found {text}"
    elif maximum is not None and value > maximum:
        yield f"expected at most {_bound(field, maximum)}, found {text}"


def _bound(field: Field, bound: float) -> str:
    """A bound as people write it; those of durations are seconds."""
    is_time = field.shape is Shape.DURATION
    return str(Duration(round(bound * 1_000_000_000))) if is_time else f"{bound:.12g}"


def _string(rules: Rules, text: str) -> Iterator[str]:
    shown = f"'{text[:80]}'"
    if not text and rules.filled:
        yield "expected a value, found an empty string"
    elif len(text) > rules.max_length:
        yield f"expected at most {rules.max_length} characters, found {len(text)}"
    elif rules.pattern and not re.fullmatch(rules.pattern, text, re.ASCII):
        yield f"expected {_pattern_text(rules.pattern)}, found {shown}"
    elif not _has_format(rules.format, text):
        hint = suggestion(text, WORDS) if rules.format is Format.CONDITION else ""
        yield f"expected {rules.format.value}, found {shown}{hint}"


def _pattern_text(pattern: str) -> str:
    if _ALTERNATIVES.fullmatch(pattern):
        return "one of " + pattern.replace("|", ", ")
    return f"a match of {pattern}"


def _has_format(form: Format, text: str) -> bool:
    match form:
        case Format.NAME:
            return _NAME.fullmatch(text) is not None
        case Format.HEADER_NAME:
            return _HEADER_NAME.fullmatch(text) is not None
        case Format.CONDITION:
            return is_condition(text)
        case Format.CIDR:
            return _is_cidr(text)
        case _:
            return True


def _is_cidr(text: str) -> bool:
    try:
        parse_network(text)
    except ValueError:
        return False
    return True
