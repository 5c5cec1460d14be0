"""Whom a policy governs, and whose calls.

A target lives in the policy's namespace. Policies of the root namespace reach every namespace, and the Mesh.
A `ResiliencePolicy` or a `FaultPolicy` may name a target elsewhere: it is then a consumer's, and governs only
callers of its own namespace. Everything else that crosses is refused, unless a ReferenceGrant beside the
target permits it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from controlplane.model.codes import Code
from controlplane.model.effective import CallerMatch
from controlplane.model.value import blocks, find_text
from controlplane.policy.reference_grant import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.value import Tree
    from controlplane.policy.reference_grant import Grants

OUR_GROUP: Final = "breakwater.dev"
GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
HTTP_ROUTE: Final = "HTTPRoute"
GRPC_ROUTE: Final = "GRPCRoute"
ROUTE_KINDS: Final = frozenset({HTTP_ROUTE, GRPC_ROUTE})
_GROUPS: Final = {
    "Service": ("",),
    "Namespace": ("",),
    "ExternalService": ("", OUR_GROUP),
    "Mesh": ("", OUR_GROUP),
    HTTP_ROUTE: (GATEWAY_GROUP,),
    GRPC_ROUTE: (GATEWAY_GROUP,),
}
_CONSUMER_KINDS: Final = frozenset({"ResiliencePolicy", "FaultPolicy"})


class Level(IntEnum):
    """How specific an attachment is; the more specific is the greater."""

    DEFAULTS = 0
    MESH = 1
    NAMESPACE = 2
    SERVICE = 3
    ROUTE = 4
    RULE = 5

    @property
    def text(self) -> str:
        """As written in provenance; a Mesh's own defaults are of the Mesh."""
        return "Mesh" if self is Level.DEFAULTS else self.name.capitalize()


class Target(NamedTuple):
    """One object that policies attach to; a Namespace and the Mesh have an empty `namespace`.

    `section` is the name of a rule of a route, or empty for the whole of it.
    """

    kind: str
    namespace: str
    name: str
    section: str = ""

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}" + (f" rule {self.section}" if self.section else "")

    @property
    def level(self) -> Level:
        """The level of what attaches to it."""
        if self.is_route:
            return Level.RULE if self.section else Level.ROUTE
        return {"Mesh": Level.MESH, "Namespace": Level.NAMESPACE}.get(self.kind, Level.SERVICE)

    @property
    def is_route(self) -> bool:
        """Whether it is a route, or a rule of one."""
        return self.kind in ROUTE_KINDS

    @property
    def home(self) -> str:
        """The namespace it lies in; empty for the Mesh."""
        return self.name if self.kind == "Namespace" else self.namespace


class Caller(NamedTuple):
    """Callers that a policy is limited to."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        name = self.name if self.kind == "Namespace" else f"{self.namespace}/{self.name}"
        return f"{self.kind} {name}"


def is_enforced(document: Document) -> bool:
    """Whether the policy acts on traffic."""
    return document.spec.get("mode") != "Disabled"


def is_in_shadow(document: Document) -> bool:
    """Whether the policy only reports what it would do."""
    return document.spec.get("mode") == "Shadow"


def targets(document: Document) -> tuple[Target, ...]:
    """What the policy is attached to, in the order written; none for a kind that attaches to nothing."""
    return tuple(_target(ref, document.key.namespace) for ref in blocks(document.spec, "targetRefs"))


def callers(document: Document) -> tuple[Caller, ...]:
    """The callers of `from`, sorted; none means every caller."""
    return tuple(sorted(_caller(ref, document.key.namespace) for ref in blocks(document.spec, "from")))


def matches(callers: Iterable[Caller]) -> tuple[CallerMatch, ...]:
    """What sidecars compare themselves with, in the order given."""
    return tuple(map(_match, callers))


def callers_of(matches: Iterable[CallerMatch]) -> tuple[Caller, ...]:
    """The callers of whom sidecars compare themselves with these, in the order given."""
    return tuple(map(_caller_of, matches))


def is_consumer(document: Document, target: Target, root_namespace: str) -> bool:
    """Whether the policy is a consumer's own rule for `target`."""
    return document.key.kind in _CONSUMER_KINDS and _crosses(document, target, root_namespace)


def crosses(document: Document, root_namespace: str) -> bool:
    """Whether the policy names a target that is out of its own reach."""
    return any(_crosses(document, each, root_namespace) for each in targets(document))


def _crosses(document: Document, target: Target, root_namespace: str) -> bool:
    namespace = document.key.namespace
    return bool(target.home) and namespace not in (target.home, root_namespace)


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong with targets and callers, as far as it does not depend on other documents."""
    seen: dict[Target, int] = {}
    for index, ref in enumerate(blocks(document.spec, "targetRefs")):
        path = f"spec.targetRefs[{index}]"
        target = _target(ref, document.key.namespace)
        first = seen.setdefault(target, index)
        if first != index:
            yield document.problem(path, f"the same as targetRefs[{first}]", code=Code.BAD_TARGET)
        yield from _validate_ref(document, ref, path)
    callers_seen: dict[Caller, int] = {}
    for index, ref in enumerate(blocks(document.spec, "from")):
        first = callers_seen.setdefault(_caller(ref, document.key.namespace), index)
        if first != index:
            yield document.problem(f"spec.from[{index}]", f"the same as from[{first}]", code=Code.IDLE)
        if find_text(ref, "kind") == "Namespace" and "namespace" in ref:
            yield document.problem(f"spec.from[{index}].namespace", "a Namespace lies in none; leave it out")


def refusals(document: Document, root_namespace: str, grants: Grants) -> Iterator[Problem]:
    """Targets that a policy of this namespace may not name, given which is the root and what is granted."""
    if document.key.namespace == root_namespace:
        return
    for index, target in enumerate(targets(document)):
        path = f"spec.targetRefs[{index}]"
        if target.kind == "Mesh":
            yield document.problem(
                path, f"only policies in {root_namespace} may target the Mesh", code=Code.OUT_OF_REACH
            )
        elif _crosses(document, target, root_namespace) and not grants.permit(*_ends(document, target)):
            yield from _refuse_crossing(document, target, path, root_namespace)


def _refuse_crossing(document: Document, target: Target, path: str, root_namespace: str) -> Iterator[Problem]:
    namespace = document.key.namespace
    if document.key.kind not in _CONSUMER_KINDS:
        yield document.problem(
            path,
            f"a {document.key.kind} targets its own namespace {namespace}, found {target.home}; "
            f"only policies in {root_namespace} reach further, or with a ReferenceGrant of {target.home}",
            code=Code.OUT_OF_REACH,
        )
        return
    for index, caller in enumerate(callers(document)):
        if caller.namespace != namespace:
            yield document.problem(
                f"spec.from[{index}]",
                f"a policy for {target} elsewhere governs only callers in its own namespace {namespace}, "
                f"found {caller.namespace}",
                code=Code.OUT_OF_REACH,
            )


def _ends(document: Document, target: Target) -> tuple[Subject, Subject]:
    """Who names whom, as grants have it."""
    key, group = document.key, _GROUPS[target.kind][-1]
    return Subject(OUR_GROUP, key.kind, key.namespace), Subject(group, target.kind, target.home, target.name)


def _validate_ref(document: Document, ref: Tree, path: str) -> Iterator[Problem]:
    kind, group = find_text(ref, "kind"), find_text(ref, "group")
    groups = _GROUPS.get(kind, (group,))
    if group not in groups:
        expected = " or ".join(f"'{each}'" for each in groups)
        message = f"expected {expected} for kind {kind}, found '{group}'"
        yield document.problem(f"{path}.group", message, code=Code.BAD_TARGET)
    if kind in {"Namespace", "Mesh"} and "namespace" in ref:
        message = f"a {kind} lies in no namespace; leave it out"
        yield document.problem(f"{path}.namespace", message, code=Code.BAD_TARGET)
    if "sectionName" in ref and kind not in ROUTE_KINDS:
        yield document.problem(f"{path}.sectionName", f"a {kind} has no rules; leave it out")
    if kind == "Mesh" and find_text(ref, "name") not in {"", "default"}:
        yield document.problem(f"{path}.name", "the only Mesh is named default", code=Code.BAD_TARGET)


def _target(ref: Tree, namespace: str) -> Target:
    kind = find_text(ref, "kind")
    lies_in = "" if kind in {"Namespace", "Mesh"} else find_text(ref, "namespace") or namespace
    return Target(kind, lies_in, find_text(ref, "name"), find_text(ref, "sectionName"))


def _caller(ref: Tree, namespace: str) -> Caller:
    kind, name = find_text(ref, "kind"), find_text(ref, "name")
    lies_in = name if kind == "Namespace" else find_text(ref, "namespace") or namespace
    return Caller(kind, lies_in, name)


def _match(caller: Caller) -> CallerMatch:
    match caller.kind:
        case "Service":
            return CallerMatch(namespace=caller.namespace, service=caller.name)
        case "ServiceAccount":
            return CallerMatch(namespace=caller.namespace, service_account=caller.name)
        case _:
            return CallerMatch(namespace=caller.namespace)


def _caller_of(match: CallerMatch) -> Caller:
    if match.service:
        return Caller("Service", match.namespace, match.service)
    if match.service_account:
        return Caller("ServiceAccount", match.namespace, match.service_account)
    return Caller("Namespace", match.namespace, match.namespace)
