"""HTTPRoute and GRPCRoute: which requests to a service go where, as the Gateway API says it.

A route's parent is a service, and its rules govern the calls of it. Of what the Gateway API defines, the
schema has what sidecars enforce.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from controlplane.model.codes import Code
from controlplane.model.value import Tree, blocks, find_block, find_duration, find_number, find_text
from controlplane.policy import route_filter
from controlplane.policy.reference_grant import Subject
from controlplane.policy.target import (
    GATEWAY_GROUP,
    GRPC_ROUTE,
    HTTP_ROUTE,
    OUR_GROUP,
    ROUTE_KINDS,
    Target,
)
from sidecar.machines.route import expression_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controlplane.model.document import Document, ObjectKey, Problem
    from controlplane.policy.reference_grant import Grants

HTTP: Final = HTTP_ROUTE
GRPC: Final = GRPC_ROUTE
KINDS: Final = ROUTE_KINDS
MATCHES_MAX: Final = 128
"""Matches of all rules of a route together, as the Gateway API has it."""

PARENT_KINDS: Final = frozenset({"Service", "ExternalService"})
"""What a route may govern; others, such as a Gateway, are not the mesh's."""

_GROUPS: Final = {"Service": ("",), "ExternalService": ("", OUR_GROUP)}
_REGULAR: Final = "RegularExpression"
# What the Gateway API allows in no path: empty and dot segments, encoded slashes, what follows a path.
_NEVER: Final = ("//", "/./", "/../", "%2f", "%2F", "#")
_NEVER_LAST: Final = ("/..", "/.")
_PATH: Final = re.compile(r"/(?:[A-Za-z0-9/\-._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*", re.ASCII)
_GRPC_SERVICE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_GRPC_METHOD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Parent(NamedTuple):
    """A service whose calls a route governs, at every port or at one.

    That one is named by its number, unless that is zero, by its name, unless that is empty, or by both.
    """

    target: Target
    port: int
    port_name: str = ""

    def find_port(self, ports: Mapping[str, int]) -> int | None:
        """The number of the port among those of the service, by name; zero is every port, `None` is none."""
        if not self.port_name:
            return self.port
        found = ports.get(self.port_name)
        return found if self.port in {0, found} else None


class Backend(NamedTuple):
    """A reference to where a rule sends requests."""

    target: Target
    port: int
    weight: int


class Mirror(NamedTuple):
    """A reference to where copies of so many requests go, of so many."""

    target: Target
    port: int
    share: tuple[int, int]


class Reference(NamedTuple):
    """A reference of a route, and where it stands."""

    path: str
    target: Target
    port: int


def parents(document: Document) -> tuple[Parent, ...]:
    """The services that a route governs, in the order written; none for another kind."""
    if document.key.kind not in KINDS:
        return ()
    refs = blocks(document.spec, "parentRefs")
    return tuple(
        Parent(_target(document, ref), find_number(ref, "port") or 0, find_text(ref, "sectionName"))
        for ref in refs
    )


def twin(key: ObjectKey) -> ObjectKey | None:
    """The route of the other kind that has the name of this one; `None` of what is no route."""
    if key.kind not in KINDS:
        return None
    return key._replace(kind=HTTP if key.kind == GRPC else GRPC)


def find_ports(document: Document, target: Target, ports: Mapping[str, int]) -> frozenset[int] | None:
    """The ports of a service whose calls a route says it governs; no ports are all, `None` is none."""
    found = {parent.find_port(ports) for parent in parents(document) if parent.target == target}
    numbers = frozenset(port for port in found if port is not None)
    if not numbers:
        return None
    return frozenset() if 0 in numbers else numbers


def rule_name(rule: Tree, place: int) -> str:
    """What a rule is called: its name, or its place in the route."""
    return find_text(rule, "name") or str(place)


def matches(rule: Tree) -> tuple[Tree, ...]:
    """Which requests a rule is for; of headers that differ in case alone the first counts."""
    return tuple(
        {**match, "headers": route_filter.first_of_each(blocks(match, "headers"))}
        if "headers" in match
        else match
        for match in blocks(rule, "matches")
    )


def backends(document: Document, rule: Tree) -> tuple[Backend, ...]:
    """Where a rule sends requests, in the order written; none: to the service that was called."""
    return tuple(
        Backend(_target(document, ref), find_number(ref, "port") or 0, _weight(ref))
        for ref in blocks(rule, "backendRefs")
    )


def destinations(document: Document, section: str = "") -> set[Target]:
    """The services that a route, or its rule of that name, sends requests to; none of another kind."""
    called = {parent.target for parent in parents(document)}
    found: set[Target] = set()
    for rule in blocks(document.spec, "rules") if called else ():
        if section in {"", find_text(rule, "name")}:
            found |= {backend.target for backend in backends(document, rule)} or called
    return found


def timeouts(rule: Tree) -> Tree:
    """What a rule says of waiting, in the words of a ResiliencePolicy; nothing where it says nothing.

    Zero is a word, too: no bound, whatever the service has.
    """
    words = {"request": "request", "backendRequest": "perTry"}
    said = find_block(rule, "timeouts") or {}
    found = {words[name]: value for name, value in said.items()}
    return {"timeouts": found} if found else {}


def target_of(document: Document, rule: Tree | None = None) -> Target:
    """The route, or one of its rules, as policies name it."""
    section = find_text(rule, "name") if rule else ""
    return Target(document.key.kind, document.key.namespace, document.key.name, section)


def mirrors(document: Document, rule: Tree) -> tuple[Mirror, ...]:
    """Where copies of a rule's requests go, in the order written; all defaults are filled in."""
    return tuple(
        Mirror(_target(document, ref), find_number(ref, "port") or 0, route_filter.share(mirror))
        for _, mirror in route_filter.mirrors(rule)
        if (ref := find_block(mirror, "backendRef"))
    )


def references(document: Document) -> Iterator[Reference]:
    """Every service that a route sends requests or copies to, as often as named; none of another kind."""
    if document.key.kind in KINDS:
        for place, rule in enumerate(blocks(document.spec, "rules")):
            for path, ref in _references(rule):
                port = find_number(ref, "port") or 0
                yield Reference(f"spec.rules[{place}].{path}", _target(document, ref), port)


def consumer(document: Document, target: Target, root_namespace: str) -> str:
    """The namespace whose calls of a service alone a route governs; empty where it governs everybody's."""
    namespace = document.key.namespace
    return "" if namespace in {target.namespace, root_namespace} else namespace


def crosses(document: Document) -> bool:
    """Whether some reference of a route leaves its namespace."""
    return any(ref.target.namespace != document.key.namespace for ref in references(document))


def may_follow(document: Document, backend: Target, root_namespace: str, grants: Grants) -> bool:
    """Whether a route may send requests to a service, as to those whose calls it governs."""
    key, group = document.key, _GROUPS[backend.kind][-1]
    source = Subject(GATEWAY_GROUP, key.kind, key.namespace)
    named = Subject(group, backend.kind, backend.namespace, backend.name)
    governed = {parent.target for parent in parents(document)}
    return backend in governed or key.namespace == root_namespace or grants.permit(source, named)


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a route, as far as it does not depend on other documents."""
    yield from _validate_parents(document)
    rules = blocks(document.spec, "rules")
    yield from _repeated(document, "spec.rules", "name", [find_text(rule, "name") for rule in rules])
    count = sum(len(blocks(rule, "matches")) for rule in rules)
    if count > MATCHES_MAX:
        yield document.problem("spec.rules", f"expected at most {MATCHES_MAX} matches in all, found {count}")
    for place, rule in enumerate(rules):
        path = f"spec.rules[{place}]"
        for member, ref in _references(rule):
            yield from _validate_group(document, ref, f"{path}.{member}")
        yield from _validate_timeouts(document, rule, f"{path}.timeouts")
        yield from route_filter.validate(document, rule, f"{path}.filters")
        for index, match in enumerate(blocks(rule, "matches")):
            yield from _validate_match(document, match, f"{path}.matches[{index}]")


def _references(rule: Tree) -> Iterator[tuple[str, Tree]]:
    """Every reference of a rule to a service, and where in it each stands."""
    for index, ref in enumerate(blocks(rule, "backendRefs")):
        yield f"backendRefs[{index}]", ref
    for path, mirror in route_filter.mirrors(rule):
        if (copied_to := find_block(mirror, "backendRef")) is not None:
            yield f"{path}.backendRef", copied_to


def _target(document: Document, ref: Tree) -> Target:
    namespace = find_text(ref, "namespace") or document.key.namespace
    return Target(find_text(ref, "kind") or "Service", namespace, find_text(ref, "name"))


def _weight(ref: Tree) -> int:
    weight = find_number(ref, "weight")
    return 1 if weight is None else weight


def _validate_parents(document: Document) -> Iterator[Problem]:
    refs = blocks(document.spec, "parentRefs")
    found = parents(document)
    for index, (ref, parent) in enumerate(zip(refs, found, strict=True)):
        path = f"spec.parentRefs[{index}]"
        yield from _validate_group(document, ref, path)
        if found.index(parent) != index:
            yield document.problem(path, f"the same as parentRefs[{found.index(parent)}]")


def _validate_group(document: Document, ref: Tree, path: str) -> Iterator[Problem]:
    kind, group = find_text(ref, "kind") or "Service", find_text(ref, "group")
    groups = _GROUPS.get(kind, (group,))
    if group not in groups:
        expected = " or ".join(f"'{each}'" for each in groups)
        yield document.problem(f"{path}.group", f"expected {expected} for kind {kind}, found '{group}'")


def _validate_timeouts(document: Document, rule: Tree, path: str) -> Iterator[Problem]:
    one, all_of_it = (find_duration(rule, f"timeouts.{name}") for name in ("backendRequest", "request"))
    if one and all_of_it and one.nanoseconds > all_of_it.nanoseconds > 0:
        message = f"expected at most request ({all_of_it}), found {one}"
        yield document.problem(f"{path}.backendRequest", message, code=Code.PER_TRY_TOO_LONG)


def _validate_match(document: Document, match: Tree, path: str) -> Iterator[Problem]:
    for name in ("headers", "queryParams"):
        fields = blocks(match, name)
        names = [find_text(field, "name") for field in fields]
        yield from _repeated(document, f"{path}.{name}", "name", names)
        for index, field in enumerate(fields):
            yield from _validate_expression(document, field, f"{path}.{name}[{index}]", "value")
    if isinstance(form := match.get("path"), dict):
        yield from _validate_path(document, form, f"{path}.path")
    if isinstance(form := match.get("method"), dict):
        yield from _validate_call(document, form, f"{path}.method")


def _validate_path(document: Document, form: Tree, path: str) -> Iterator[Problem]:
    value = find_text(form, "value")
    if find_text(form, "type") == _REGULAR:
        yield from _validate_expression(document, form, path, "value")
    elif value and not _PATH.fullmatch(value):
        yield document.problem(
            f"{path}.value", f"expected a path that begins with a slash, found '{value[:80]}'"
        )
    else:
        found = [part for part in _NEVER if part in value] + [
            end for end in _NEVER_LAST if value.endswith(end)
        ]
        if found:
            yield document.problem(f"{path}.value", f"expected a canonical path, which never has {found[0]}")


def _validate_call(document: Document, form: Tree, path: str) -> Iterator[Problem]:
    if not find_text(form, "service") and not find_text(form, "method"):
        yield document.problem(path, "expected service or method, found neither")
    for name, pattern in (("service", _GRPC_SERVICE), ("method", _GRPC_METHOD)):
        value = find_text(form, name)
        if find_text(form, "type") == _REGULAR:
            yield from _validate_expression(document, form, path, name)
        elif value and not pattern.fullmatch(value):
            yield document.problem(f"{path}.{name}", f"expected a name of gRPC, found '{value[:80]}'")


def _validate_expression(document: Document, form: Tree, path: str, name: str) -> Iterator[Problem]:
    if find_text(form, "type") == _REGULAR and (fault := expression_fault(find_text(form, name))):
        yield document.problem(f"{path}.{name}", f"expected an expression that takes linear time: {fault}")


def _repeated(document: Document, path: str, member: str, values: Iterable[str]) -> Iterator[Problem]:
    """Values that are written twice; empty ones are none."""
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        first = seen.setdefault(value, index)
        if value and first != index:
            yield document.problem(f"{path}[{index}].{member}", f"{value} is taken by [{first}]")
