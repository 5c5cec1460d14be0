"""The interpreter's collector of garbage, told what stays.

A collection looks at every object that could be part of a cycle and stops all threads meanwhile: with the
documents, endpoints and resources of a large mesh, for longer than a push to all sidecars takes. These go by
their reference counts, as nearly everything does; cycles are made by calls that are served, and by streams
that end with an exception.
"""

import gc
from typing import Final

YOUNG: Final = 5_000
"""New objects between two collections of the young ones.

A call that `grpc.aio` serves leaves a cycle of some twenty objects: what waits to be collected is half a
megabyte, and looked through in less than a millisecond.
"""

GENERATIONS: Final = 20
"""Collections of the young ones between two of those that outlived one."""

OLD: Final = 200
"""Collections of these between two of all, each of which stops a push to all sidecars."""


def keep_what_there_is() -> None:
    """Leaves everything that there is out of all collections to come, and has fewer of all others."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, GENERATIONS, OLD)
