"""Fallback, a block of ResiliencePolicy: which fields go together, and where the service named in it lies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.value import find_block, find_number, find_text
from controlplane.policy.reserved import is_reserved
from controlplane.policy.target import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree

_INSTEAD: Final = ("response", "service")
_BODILESS: Final = frozenset({204, 205, 304})
_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE: Final = re.compile(r"[!-~]([ -~]{0,1022}[!-~])?")


def validate(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with the fallback among the behaviours in `tree`, which stands at `path`."""
    fallback = find_block(tree, "fallback")
    if fallback is None:
        return
    place = f"{path}.fallback"
    if not any(name in fallback for name in _INSTEAD):
        yield document.problem(place, f"answers nothing; expected one of {', '.join(_INSTEAD)}")
    if "service" in fallback and not document.key.namespace:
        yield document.problem(f"{place}.service", "a Mesh lies in no namespace; only a response is for all")
    if find_text(fallback, "service.name") in _stood_in_for(document):
        message = "answers for itself: it is what the policy targets"
        yield document.problem(f"{place}.service.name", message, code=Code.IDLE)
    status = find_number(fallback, "response.status")
    if status in _BODILESS:
        yield document.problem(
            f"{place}.response.status", f"expected a status whose answers may have a body, found {status}"
        )
    yield from _validate_headers(document, fallback, f"{place}.response.headers")


def _stood_in_for(document: Document) -> set[str]:
    """The services of the policy's namespace that it targets."""
    places = targets(document)
    return {each.name for each in places if each.kind == "Service" and each.home == document.key.namespace}


def qualify(fallback: Tree, namespace: str) -> Tree:
    """The same, with the namespace of its author before the name of a service."""
    name = find_text(fallback, "service.name")
    return {**fallback, "service": {"name": f"{namespace}/{name}"}} if name else fallback


def _validate_headers(document: Document, fallback: Tree, path: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, value in (find_block(fallback, "response.headers") or {}).items():
        other = seen.setdefault(name.lower(), name)
        if other != name:
            yield document.problem(path, f"{name} is the same as {other}; write it once")
        elif not _NAME.fullmatch(name.lower()):
            yield document.problem(path, f"expected names of fields, found {name!r}")
        elif is_reserved(name):
            yield document.problem(path, f"{name} is the sidecar's own to say; leave it out")
        elif not _VALUE.fullmatch(str(value)):
            yield document.problem(path, f"expected printable ASCII, at most 1024 of it, as {name}")
