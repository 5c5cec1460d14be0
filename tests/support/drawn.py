"""Values taken off a number of random digits: what long sequences are made of, far cheaper than strategies.

A choice uses the digits that it needs, and hands on the rest. Zero gives the simplest value, the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T_co]):
    """What `take` makes of a number: a value, and the number that is left."""

    take: Callable[[int], tuple[T_co, int]]

    def map(self, change: Callable[[T_co], U]) -> "Choice[U]":
        """Return the choice of what `change` makes of each value."""

        def take(digits: int) -> tuple[U, int]:
            value, rest = self.take(digits)
            return change(value), rest

        return Choice(take)


def sampled_from(values: Sequence[U]) -> Choice[U]:
    """Return the choice of one of some values."""

    def take(digits: int) -> tuple[U, int]:
        rest, at = divmod(digits, len(values))
        return values[at], rest

    return Choice(take)


def integers(low: int, high: int) -> Choice[int]:
    """Return the choice of an integer from `low` to `high`, both of them included."""

    def take(digits: int) -> tuple[int, int]:
        rest, above = divmod(digits, high - low + 1)
        return low + above, rest

    return Choice(take)


def booleans() -> Choice[bool]:
    """Return the choice of false or true."""
    return sampled_from((False, True))


def just(value: U) -> Choice[U]:
    """Return no choice at all."""
    return sampled_from((value,))


def none() -> Choice[None]:
    """Return the choice of nothing."""
    return just(None)


def one_of(*choices: Choice[Any]) -> Choice[Any]:
    """Return the choice of one of some choices, and then by it."""
    which = sampled_from(choices)

    def take(digits: int) -> tuple[Any, int]:
        choice, rest = which.take(digits)
        return choice.take(rest)

    return Choice(take)


def tuples(*choices: Choice[Any]) -> Choice[tuple[Any, ...]]:
    """Return the choice of one value by each."""

    def take(digits: int) -> tuple[tuple[Any, ...], int]:
        values = []
        for choice in choices:
            value, digits = choice.take(digits)
            values.append(value)
        return tuple(values), digits

    return Choice(take)


def builds(target: Callable[..., U], **choices: Choice[Any]) -> Choice[U]:
    """Return the choice of what `target` makes of one argument by each."""
    return tuples(*choices.values()).map(lambda values: target(**dict(zip(choices, values, strict=True))))


def lists(choice: Choice[U], *, min_size: int = 0, max_size: int) -> Choice[list[U]]:
    """Return the choice of so many values by one."""
    size = integers(min_size, max_size)

    def take(digits: int) -> tuple[list[U], int]:
        count, rest = size.take(digits)
        values, rest = tuples(*[choice] * count).take(rest)
        return list(values), rest

    return Choice(take)


def subsets(values: Sequence[U], *, or_none: bool = False) -> Choice[set[U]]:
    """Return the choice of some of the values, or of none of them."""

    def chosen(bits: int) -> set[U]:
        return {value for place, value in enumerate(values) if bits >> place & 1}

    return integers(0 if or_none else 1, 2 ** len(values) - 1).map(chosen)


_BITS = 2**64
bits = one_of(integers(0, _BITS - 1), integers(0, _BITS - 1), sampled_from([0, _BITS - 1]))
"""A draw as the machines take it, one third of them at the ends."""
