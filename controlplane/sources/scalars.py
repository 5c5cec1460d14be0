"""One written value to the typed one that its field asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from controlplane.model.schema import Field, Format, Shape
from controlplane.model.value import Value, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane.sources.nodes import Scalar

_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_OTHER_NUMBER: Final = re.compile(r"[-+]?(0[xob][0-9a-fA-F_]+|\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN)", re.ASCII)
# What YAML 1.1, and with it the cluster's own tools, reads as a boolean.
_BOOLEANS: Final = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off"})


class MismatchError(ValueError):
    """A value that its field cannot hold; the message says what was expected and found."""


def read(field: Field, scalar: Scalar) -> Value:
    """The value of `scalar` as `field` reads it.

    Raises:
        MismatchError: it is of another type.
    """
    try:
        return _READERS[field.shape](field, scalar)
    except ValueError as error:
        if isinstance(error, MismatchError):
            raise
        raise MismatchError(f"expected {expected(field)}, found {found(scalar)}") from None


def expected(field: Field) -> str:
    """What a field holds, in words."""
    return field.rules.format.value or field.shape.value


def found(scalar: Scalar) -> str:
    """What is written, in words."""
    return f"'{scalar.text[:80]}'"


def suggestion(text: str, known: Iterable[str]) -> str:
    """A hint at the known word nearest to `text`, or nothing."""
    import difflib  # noqa: PLC0415  # costs memory that policies without typing errors need not spend

    near = difflib.get_close_matches(text, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _integer(field: Field, scalar: Scalar) -> Value:
    if field.rules.format is Format.SIZE:
        return parse_size(scalar.text)
    if not scalar.plain or not _INTEGER.fullmatch(scalar.text):
        raise ValueError
    return int(scalar.text)


def _number(_field: Field, scalar: Scalar) -> Value:
    if scalar.plain and _INTEGER.fullmatch(scalar.text):
        return int(scalar.text)
    if not scalar.plain or not _NUMBER.fullmatch(scalar.text):
        raise ValueError
    return float(scalar.text)


def _boolean(_field: Field, scalar: Scalar) -> Value:
    if not scalar.plain or scalar.text not in {"true", "false"}:
        raise ValueError
    return scalar.text == "true"


def _duration(_field: Field, scalar: Scalar) -> Value:
    return parse_duration(scalar.text)


def _word(field: Field, scalar: Scalar) -> Value:
    if scalar.text in field.words:
        return scalar.text
    words = ", ".join(field.words)
    hint = suggestion(scalar.text, field.words)
    raise MismatchError(f"expected one of {words}, found {found(scalar)}{hint}")


def _string(field: Field, scalar: Scalar) -> Value:
    if field.rules.format is Format.CONDITION or not scalar.plain:
        return scalar.text  # statuses in lists of conditions may be written as numbers
    other = _reads_as(scalar.text)
    if other:
        raise MismatchError(f"expected a string, found {other} {found(scalar)}; put it in quotes")
    return scalar.text


def _reads_as(text: str) -> str:
    if text.lower() in _BOOLEANS:
        return "the boolean"
    return "the number" if _NUMBER.fullmatch(text) or _OTHER_NUMBER.fullmatch(text) else ""


_READERS: Final = {
    Shape.STRING: _string,
    Shape.INTEGER: _integer,
    Shape.NUMBER: _number,
    Shape.BOOLEAN: _boolean,
    Shape.DURATION: _duration,
    Shape.WORD: _word,
}
