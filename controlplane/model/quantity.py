"""Amounts of cores and bytes as Kubernetes writes them, so that they can be compared."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
}
_QUANTITY: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)(m|k|Ki|M|Mi|G|Gi|)", re.ASCII)


def parse_quantity(text: str) -> Decimal:
    """The number that `text` writes, such as 20m or 128Mi.

    Raises:
        ValueError: it is none.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"no quantity: {text!r}")
    return Decimal(match[1]) * _UNITS[match[2]]
