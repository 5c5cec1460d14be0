"""Draws: 64 uniform bits, and what the machines make of them."""

from fractions import Fraction

from hypothesis import strategies as st

BITS = 2**64

draws = st.integers(0, BITS - 1)


def uniform(draw: int, low: int, high: int) -> int:
    """The integer in `low..=high` that a draw stands for."""
    return low + int(Fraction(draw, BITS) * (high - low + 1))
