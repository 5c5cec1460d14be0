"""The interpreter's collector of garbage, told what stays.

A collection looks at every object that could be part of a cycle and stops all threads meanwhile: with the
documents, endpoints and resources of a large mesh, for longer than a push to all sidecars takes. These go by
their reference counts, as nearly everything does; cycles are made by exceptions that end a stream.
"""

import gc
from typing import Final

YOUNG: Final = 50_000
"""New objects between two collections of the young ones: about a push to a thousand sidecars."""

GENERATIONS: Final = 20
"""Collections of one generation between two of the next."""


def keep_what_there_is() -> None:
    """Leaves everything that there is out of all collections to come, and has fewer of these."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, GENERATIONS, GENERATIONS)
