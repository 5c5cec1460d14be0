"""RateLimitPolicy: what a target admits. Limits never replace each other: all that match apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.resource import CallerMatch, PolicyRef, RateLimitRules
from controlplane.model.value import Tree, blocks, find_block, find_duration, find_number, find_text
from controlplane.policy import target
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Schema

KIND: Final = "RateLimitPolicy"
_SECOND: Final = 1_000_000_000
_DEFAULT_ALGORITHM: Final = "TokenBucket"
# Fields that only one algorithm has.
_OWNERS: Final = {
    "burst": "TokenBucket",
    "queue": "LeakyBucket",
    "maxWait": "LeakyBucket",
    "evict": "LeakyBucket",
    "aligned": "FixedWindow",
    "buckets": "SlidingWindow",
}
_LONGEST_LOG: Final = 10_000
_ENTRY_BYTES: Final = 16
_MAX_KEYS: Final = 65_536
_MUCH_MEMORY: Final = 1 << 30


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a RateLimitPolicy."""
    yield from target.validate(document)
    names: dict[str, int] = {}
    for index, limit in enumerate(blocks(document.spec, "limits")):
        path = f"spec.limits[{index}]"
        first = names.setdefault(find_text(limit, "name"), index)
        if first != index:
            yield document.problem(f"{path}.name", f"the name of limits[{first}] too")
        yield from _validate_figures(document, limit, path)
        yield from _validate_cost(document, limit, path)
        yield from _validate_members(document, limit, path)
    for index, exemption in enumerate(blocks(document.spec, "exempt")):
        yield from _validate_one(document, exemption, f"spec.exempt[{index}]")
        yield from _validate_path(document, exemption, f"spec.exempt[{index}]")


def is_at_caller(document: Document) -> bool:
    """Whether each caller's sidecar limits itself."""
    return find_text(document.spec, "at") == "Caller"


def compile_rules(document: Document, schema: Schema) -> RateLimitRules:
    """The limits of the policy as a sidecar takes them, every default filled in."""
    spec = fill(document.spec, schema.kinds[KIND].spec)
    return RateLimitRules(
        policy=PolicyRef(key=document.key, generation=document.generation),
        callers=tuple(_match(caller) for caller in target.callers(document)),
        limits=tuple(_complete(limit) for limit in blocks(spec, "limits")),
        exempt=blocks(spec, "exempt"),
        response=find_block(spec, "response") or {},
    )


def default_burst(limit: Tree) -> int:
    """Requests per second, rounded down exactly, and at least 1."""
    requests, per = find_number(limit, "requests"), find_duration(limit, "per")
    if not requests or not per:
        return 1
    return max(1, requests * _SECOND // per.nanoseconds)


def _complete(limit: Tree) -> Tree:
    """The limit without the fields of other algorithms than its own, and with its burst."""
    algorithm = find_text(limit, "algorithm")
    own = {name: value for name, value in limit.items() if _OWNERS.get(name, algorithm) == algorithm}
    if algorithm != _DEFAULT_ALGORITHM or "burst" in own:
        return own
    return {**own, "burst": default_burst(limit)}


def _match(caller: target.Caller) -> CallerMatch:
    match caller.kind:
        case "Service":
            return CallerMatch(namespace=caller.namespace, service=caller.name)
        case "ServiceAccount":
            return CallerMatch(namespace=caller.namespace, service_account=caller.name)
        case _:
            return CallerMatch(namespace=caller.namespace)


def _validate_figures(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Fields of another algorithm, and logs that grow too long."""
    algorithm = _algorithm(limit)
    for name, owner in _OWNERS.items():
        if name in limit and owner != algorithm:
            yield document.problem(f"{path}.{name}", f"only a {owner} has it, and this is a {algorithm}")
    requests = find_number(limit, "requests") or 0
    if algorithm != "SlidingLog":
        return
    if requests > _LONGEST_LOG:
        yield document.problem(
            f"{path}.requests",
            f"a SlidingLog keeps an entry for each request, {_LONGEST_LOG} at most; "
            "a SlidingWindow counts any number, closely",
        )
    elif (
        "by" in limit
        and requests * (find_number(limit, "maxKeys") or _MAX_KEYS) * _ENTRY_BYTES > _MUCH_MEMORY
    ):
        yield document.problem(
            f"{path}.maxKeys",
            "so many logs, all full, take more than 1 GiB; lower maxKeys, or take a SlidingWindow",
            warning=True,
        )


def _validate_cost(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Costs that could never be admitted."""
    if "requests" not in limit or "per" not in limit:
        return
    capacity, name = _capacity(limit)
    fixed = find_number(limit, "cost.fixed")
    if fixed is not None and capacity is not None and fixed > capacity:
        yield document.problem(
            f"{path}.cost.fixed",
            f"a cost of {fixed} never fits into {name}, so nothing would be admitted",
        )


def _capacity(limit: Tree) -> tuple[int | None, str]:
    """The most that could ever be there, and what people call it; a leaky bucket has no such bound."""
    match _algorithm(limit):
        case "TokenBucket":
            burst = find_number(limit, "burst")
            default = "" if burst else ", its default"
            capacity = burst or default_burst(limit)
            return capacity, f"burst ({capacity}{default})"
        case "LeakyBucket":
            return None, ""
        case _:
            requests = find_number(limit, "requests")
            return requests, f"requests ({requests})"


def _algorithm(limit: Tree) -> str:
    return find_text(limit, "algorithm") or _DEFAULT_ALGORITHM


def _validate_members(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Blocks of which exactly one member, or at least one, must be set."""
    for index, subject in enumerate(blocks(limit, "by")):
        yield from _validate_one(document, subject, f"{path}.by[{index}]")
        for member, value in subject.items():
            if value is False:
                yield document.problem(f"{path}.by[{index}].{member}", "expected true, found false")
    for index, match in enumerate(blocks(limit, "match")):
        place = f"{path}.match[{index}]"
        yield from _validate_path(document, match, place)
        if not match:
            yield document.problem(place, "names nothing, so every request matches", warning=True)
        for number, header in enumerate(blocks(match, "headers")):
            if "value" not in header and "present" not in header:
                yield document.problem(f"{place}.headers[{number}]", "expected value or present")


def _validate_path(document: Document, block: Tree, path: str) -> Iterator[Problem]:
    match = find_block(block, "path")
    if match is not None:
        yield from _validate_one(document, match, f"{path}.path")


def _validate_one(document: Document, block: Tree, path: str) -> Iterator[Problem]:
    if not block:
        yield document.problem(path, "names nothing; set one of its fields")
