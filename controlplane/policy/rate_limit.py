"""RateLimitPolicy: what a target admits. Limits never replace each other: all that match apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.effective import PolicyRef
from controlplane.model.resource import RateLimitRules
from controlplane.model.value import blocks, find_block, find_number, find_text
from controlplane.policy import limits, match, target
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Schema

KIND: Final = "RateLimitPolicy"


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a RateLimitPolicy."""
    yield from target.validate(document)
    names: dict[str, int] = {}
    for index, limit in enumerate(blocks(document.spec, "limits")):
        path = f"spec.limits[{index}]"
        first = names.setdefault(find_text(limit, "name"), index)
        if first != index:
            yield document.problem(f"{path}.name", f"the name of limits[{first}] too")
        yield from limits.validate(document, limit, path)
    for index, exemption in enumerate(blocks(document.spec, "exempt")):
        yield from match.validate_one(document, exemption, f"spec.exempt[{index}]")
        yield from match.validate_path(document, exemption, f"spec.exempt[{index}]")
        if find_text(exemption, "path.prefix") == "/" or find_text(exemption, "sourceIp").endswith("/0"):
            message = "matches everything, so that nobody is refused"
            yield document.problem(f"spec.exempt[{index}]", message, code=Code.IDLE)


def is_at_caller(document: Document) -> bool:
    """Whether each caller's sidecar limits itself."""
    return find_text(document.spec, "at") == "Caller"


def is_at_callee(document: Document) -> bool:
    """Whether it is of limits that the target's own sidecars enforce, where there are any."""
    return document.key.kind == KIND and not is_at_caller(document)


def compile_rules(document: Document, schema: Schema, *, at_caller: bool = False) -> RateLimitRules:
    """The limits of the policy as a sidecar takes them, every default filled in.

    A caller's sidecar takes those that it can enforce.
    """
    spec = fill(document.spec, schema.kinds[KIND].spec)
    return RateLimitRules(
        policy=PolicyRef(key=document.key, generation=document.generation),
        callers=target.matches(target.callers(document)),
        limits=tuple(
            limits.complete(limit)
            for limit in blocks(spec, "limits")
            if limits.is_for_callers(limit) or not at_caller
        ),
        exempt=blocks(spec, "exempt"),
        response=find_block(spec, "response") or {},
        is_shadow=find_text(spec, "mode") == "Shadow",
        trusted_hops=int(find_number(spec, "trustedHops") or 0),
    )
