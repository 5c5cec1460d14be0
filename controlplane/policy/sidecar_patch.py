"""What a SidecarProfile, or a pod, may lay over the container of the sidecar.

The contract lists the fields; this is what holds between them, and of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from controlplane.model.value import blocks, find_block, find_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.value import Tree, Value

_OWN: Final = re.compile(r"(BREAKWATER_|POD_).*|PATH|(GCONV_|GLIBC_|LD_|PYTHON).*", re.DOTALL)


def is_own(variable: str) -> bool:
    """Whether a variable sets the sidecar up, or leads it to other code; nobody else has a say in it."""
    return _OWN.fullmatch(variable) is not None


def find_misfits(patch: Tree) -> Iterator[tuple[str, str]]:
    """What is wrong with a patch: the path within it, and a message."""
    seen = set()
    for index, variable in enumerate(blocks(patch, "env")):
        name = find_text(variable, "name")
        if is_own(name):
            yield f"env[{index}].name", f"{name} sets the sidecar up, or leads it to other code; leave it out"
        elif name in seen:
            yield f"env[{index}].name", "expected each variable once"
        seen.add(name)
    profile = find_block(patch, "securityContext.seccompProfile") or {}
    is_local = find_text(profile, "type") == "Localhost"
    if is_local is not ("localhostProfile" in profile):
        message = "localhostProfile goes with type: Localhost, and with no other"
        yield "securityContext.seccompProfile", message


def as_json(value: Value) -> Any:
    """A patch as Kubernetes writes it."""
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, tuple) else value
