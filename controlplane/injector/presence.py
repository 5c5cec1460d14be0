"""Whether what was put into a pod is there as it was made.

An annotation that says so may be a copy of another pod's, beside containers that only have our names. What
others add to ours may stay; what decides over what runs there may not be another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from controlplane.injector.pod import CONTAINERS, entries
from controlplane.policy.sidecar_patch import is_own

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECISIVE: Final = (
    "image",
    "command",
    "args",
    "envFrom",
    "lifecycle",
    "restartPolicy",
    "securityContext",
    "volumeMounts",
)
"""Fields of containers that are as they were made, or not there."""


def is_there(
    spec: Mapping[str, Any],
    lists: Mapping[str, Sequence[tuple[Literal["first", "last"], Mapping[str, Any]]]],
) -> bool:
    """Whether all the parts are in their lists of a pod's spec; what is to be first, before all others."""
    return all(_are_in(entries(spec, name), name, additions) for name, additions in lists.items())


def _are_in(
    found: Sequence[Mapping[str, Any]],
    name: str,
    additions: Sequence[tuple[Literal["first", "last"], Mapping[str, Any]]],
) -> bool:
    known = {str(one.get("name")): one for one in found}
    leading = [part["name"] for place, part in reversed(additions) if place == "first"]
    is_same = _is_same_container if name in CONTAINERS else _has_all
    return [one.get("name") for one in found[: len(leading)]] == leading and all(
        is_same(part, known.get(part["name"], {})) for _, part in additions
    )


def _is_same_container(part: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    ours, theirs = entries(part, "env"), entries(found, "env")
    own = {str(one["name"]) for one in ours}
    strangers = [str(one.get("name")) for one in theirs if str(one.get("name")) not in own]
    return (
        all(found.get(name) == part.get(name) for name in _DECISIVE)
        and _has_all([*ours], [one for one in theirs if str(one.get("name")) in own])
        and not any(is_own(name) for name in strangers)
    )


def _has_all(part: Any, found: Any) -> bool:
    """Whether `found` says all that `part` does; Kubernetes fills in more."""
    if isinstance(part, Mapping):
        return isinstance(found, Mapping) and all(
            _has_all(value, found.get(name)) for name, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(found, list)
            and len(found) == len(part)
            and all(_has_all(*pair) for pair in zip(part, found, strict=True))
        )
    return bool(part == found)
