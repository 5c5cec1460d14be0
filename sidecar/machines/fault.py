"""What stands of rehearsals that concern the same request."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar._core import standing_rehearsals

__all__ = ["Rehearsal", "standing_rehearsals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a rehearsal would do to a request, and how it combines.

    The greater `specificity` is the more specific, the smaller `age` the older; `effects` are of delay, abort
    and bandwidth, none where it does not concern the request.
    """

    merge: str = "PatchDefaults"
    specificity: int
    age: int
    effects: tuple[str, ...]
