"""Repeats a view every second, on a clean screen when there is one."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CLEAR = "\x1b[2J\x1b[H"


def repeat(view: Callable[[], None], *, watch: bool) -> None:
    """Show `view` once, or every second until interrupted."""
    view()
    while watch:
        time.sleep(1)
        if sys.stdout.isatty():
            print(_CLEAR, end="")
        view()
