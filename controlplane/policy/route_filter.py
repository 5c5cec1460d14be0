"""Filters of a route's rules: what else becomes of their requests and answers, as the Gateway API has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.value import blocks, find_block, find_number, find_text, texts
from controlplane.policy.reserved import is_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree

_REQUEST: Final = "requestHeaderModifier"
_RESPONSE: Final = "responseHeaderModifier"
_MIRROR: Final = "requestMirror"
# The member that each type is about.
_MEMBERS: Final = {
    "RequestHeaderModifier": _REQUEST,
    "ResponseHeaderModifier": _RESPONSE,
    "RequestMirror": _MIRROR,
}
_ONCE: Final = (_REQUEST, _RESPONSE)
_LISTS: Final = ("set", "add")
_PERCENT: Final = 100


def request_headers(rule: Tree) -> Tree:
    """Changes to heads of a rule's requests; empty where there are none."""
    return _modifier(rule, _REQUEST)


def response_headers(rule: Tree) -> Tree:
    """Changes to heads of answers to a rule's requests; empty where there are none."""
    return _modifier(rule, _RESPONSE)


def mirrors(rule: Tree) -> Iterator[tuple[str, Tree]]:
    """Services that get copies of a rule's requests: where in the rule each stands, and what it says."""
    for index, each in enumerate(blocks(rule, "filters")):
        if mirror := find_block(each, _MIRROR):
            yield f"filters[{index}].{_MIRROR}", mirror


def share(mirror: Tree) -> tuple[int, int]:
    """How many requests are copied, of how many; all defaults are filled in."""
    if (percent := find_number(mirror, "percent")) is not None:
        return percent, _PERCENT
    return find_number(mirror, "fraction.numerator") or 0, _denominator(mirror)


def validate(document: Document, rule: Tree, path: str) -> Iterator[Problem]:
    """What is wrong with the filters of a rule, which stand at `path`."""
    filters = blocks(rule, "filters")
    for index, each in enumerate(filters):
        place = f"{path}[{index}]"
        yield from _validate_members(document, each, place)
        for member in _ONCE:
            yield from _validate_modifier(document, find_block(each, member) or {}, f"{place}.{member}")
        yield from _validate_share(document, find_block(each, _MIRROR) or {}, f"{place}.{_MIRROR}")
    for member in _ONCE:
        places = [index for index, each in enumerate(filters) if member in each]
        for index in places[1:]:
            yield document.problem(f"{path}[{index}]", f"a rule has one {member}, which is [{places[0]}]")


def _modifier(rule: Tree, member: str) -> Tree:
    found = (find_block(each, member) for each in blocks(rule, "filters"))
    written: Tree = next((each for each in found if each), {})
    return {**written, **{name: first_of_each(blocks(written, name)) for name in _LISTS if name in written}}


def first_of_each(fields: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Of fields whose names differ in case alone, the first."""
    named: dict[str, Tree] = {}
    for each in fields:
        named.setdefault(find_text(each, "name").lower(), each)
    return tuple(named.values())


def _validate_members(document: Document, written: Tree, path: str) -> Iterator[Problem]:
    kind = find_text(written, "type")
    own = _MEMBERS.get(kind)
    if own is None:
        return  # no type that is known here, as the loader says
    if own not in written:
        yield document.problem(path, f"expected {own} for type {kind}, found none")
    for other in _MEMBERS.values():
        if other != own and other in written:
            yield document.problem(f"{path}.{other}", f"expected {own} alone for type {kind}")


def _validate_modifier(document: Document, modifier: Tree, path: str) -> Iterator[Problem]:
    for member in _LISTS:
        names = [find_text(each, "name") for each in blocks(modifier, member)]
        for index, name in enumerate(names):
            place, first = f"{path}.{member}[{index}].name", names.index(name)
            yield from _validate_name(document, name, place)
            if first != index:
                yield document.problem(place, f"{name} is taken by [{first}]")
    for index, name in enumerate(texts(modifier, "remove")):
        yield from _validate_name(document, name, f"{path}.remove[{index}]")


def _validate_share(document: Document, mirror: Tree, path: str) -> Iterator[Problem]:
    numerator = find_number(mirror, "fraction.numerator") or 0
    if numerator > _denominator(mirror):
        message = f"expected at most the denominator, {_denominator(mirror)}, found {numerator}"
        yield document.problem(f"{path}.fraction.numerator", message)


def _denominator(mirror: Tree) -> int:
    return find_number(mirror, "fraction.denominator") or _PERCENT


def _validate_name(document: Document, name: str, path: str) -> Iterator[Problem]:
    if is_reserved(name):
        yield document.problem(path, f"{name} is the sidecar's own to say; leave it out")
