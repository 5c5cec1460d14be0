"""ResiliencePolicy: how callers treat a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.sharing import share
from controlplane.model.value import (
    Duration,
    Tree,
    Value,
    blocks,
    find,
    find_block,
    find_duration,
    find_number,
    find_text,
    parse_duration,
)
from controlplane.policy import fallback, idle, target
from controlplane.policy.defaults import fill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.document import Document, Problem
    from controlplane.model.schema import Block

KIND: Final = "ResiliencePolicy"
_OF_ENDPOINTS: Final = (
    "breaker.endpoint",
    "outlierDetection",
    "connectionPool",
    "instanceGroups",
    "loadBalancing",
    "healthCheck",
)
BLOCKS: Final = (
    "timeouts",
    "retry",
    "hedge",
    "breaker",
    "outlierDetection",
    "bulkhead",
    "connectionPool",
    "loadBalancing",
    "admissionControl",
    "instanceGroups",
    "healthCheck",
    "fallback",
)

# In shadow the calls of others are judged, over connections that end when these say so.
_SILENT_IN_SHADOW: Final = ("connectionPool.maxRequestsPerConnection", "connectionPool.maxAge")

_BULKHEADS: Final[Mapping[str, Tree]] = {"ThreadPool": {"maxConcurrent": 10, "maxQueue": 10}}
_CONNECTION_POOLS: Final[Mapping[str, Tree]] = {
    "Database": {"maxConnections": 50},
    "Cache": {"maxConnections": 20},
    "External": {"maxConnections": 10},
}
_SERVICE_BREAKER: Final = "breaker.service"
_OF_SERVICE: Final = ("overloadTrips", "overloadOpen", "key")
_DETECTORS: Final = (
    "consecutiveFailures",
    "consecutiveGatewayFailures",
    "connectFailures",
    "successRate",
    "failurePercentage",
    "latency",
)
_DEFAULT_STREAK: Final = 5
_WHOLE: Final = 100
_PROBES: Final = ("http", "grpc", "tcp")
_HASHED: Final = ("RingHash", "Maglev")
_DEFAULT_ATTEMPTS: Final = 2
# How long the longest of times is that begin with `base`.
_DEFAULT_MAX: Final = {
    "retry.backoff": Duration(250_000_000),
    "breaker.service.open": Duration(300_000_000_000),
    "breaker.endpoint.open": Duration(300_000_000_000),
    "outlierDetection.ejection": Duration(300_000_000_000),
}
# Those that may wait less than `base`, the first of which is the default.
_DRAW_LESS: Final = frozenset({"", "FullJitter", "Immediate"})
# What does not grow has no longest.
_STEADY: Final = frozenset({"Immediate", "Fixed"})


def validate(document: Document) -> Iterator[Problem]:
    """What is wrong between the fields of a ResiliencePolicy."""
    yield from target.validate(document)
    yield from _validate_routed(document)
    yield from validate_blocks(document, document.spec, "spec")
    yield from _validate_shadow(document)
    if not any(name in document.spec for name in BLOCKS):
        yield document.problem("spec", f"says nothing; expected one of {', '.join(BLOCKS)}", code=Code.IDLE)


def _validate_routed(document: Document) -> Iterator[Problem]:
    """Routes of one service lead to the same endpoints, about which there is one verdict."""
    if not any(place.is_route for place in target.targets(document)):
        return
    for path in _OF_ENDPOINTS:
        if find(document.spec, path) is not None:
            message = "is of endpoints, which all routes of a service share; target the service"
            yield document.problem(f"spec.{path}", message)


def validate_blocks(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """What is wrong between the fields of the behaviours in `tree`, which stands at `path`."""
    yield from _validate_timeouts(document, tree, path)
    yield from _validate_waits(document, tree, path)
    grows = find_text(tree, "retry.strategy") not in _STEADY
    yield from _validate_ordered(document, tree, path, "retry.backoff", grows=grows)
    yield from _validate_hedge(document, tree, path)
    for breaker in (_SERVICE_BREAKER, "breaker.endpoint"):
        yield from _validate_breaker(document, tree, path, breaker)
    yield from _validate_ordered(document, tree, path, "outlierDetection.ejection")
    yield from _validate_balancing(document, tree, path)
    yield from _validate_groups(document, tree, path)
    yield from _validate_health_check(document, tree, path)
    yield from _validate_lanes(document, tree, path)
    yield from fallback.validate(document, tree, path)
    for place, message in idle.find(tree):
        yield document.problem(f"{path}.{place}", message, code=Code.IDLE)


def _validate_shadow(document: Document) -> Iterator[Problem]:
    """What tells nothing of itself before it acts."""
    if not target.is_in_shadow(document):
        return
    for path in _SILENT_IN_SHADOW:
        if find(document.spec, path) is not None:
            message = "decides no call by itself, so that in shadow it tells nothing"
            yield document.problem(f"spec.{path}", message, code=Code.IDLE)
    balancer = find_text(document.spec, "loadBalancing.policy")
    if balancer and balancer not in _HASHED:
        message = f"{balancer} takes any endpoint, by load or chance, so that in shadow it tells nothing"
        yield document.problem("spec.loadBalancing.policy", message, code=Code.IDLE)


def behaviours(spec: Tree, namespace: str) -> Tree:
    """The blocks of a spec as merging takes them.

    A preset becomes the figures that it stands for, so that it ranks with the policy that names it, and a
    shared bulkhead's name is qualified by the namespace that it is shared in, a fallback's by its own.
    """
    tree = {name: spec[name] for name in BLOCKS if name in spec}
    bulkhead, pool = find_block(tree, "bulkhead"), find_block(tree, "connectionPool")
    if bulkhead is not None:
        tree["bulkhead"] = _qualify(_expand(bulkhead, _BULKHEADS), namespace)
    if pool is not None:
        tree["connectionPool"] = _expand(pool, _CONNECTION_POOLS)
    if instead := find_block(tree, "fallback"):
        tree["fallback"] = fallback.qualify(instead, namespace)
    return tree


def complete(merged: Tree, block: Block) -> Tree:
    """Merged blocks with every default filled in, those that follow from other fields included."""
    tree = dict(fill(_share_budget(merged), block))
    bulkhead = find_block(tree, "bulkhead")
    if bulkhead is not None and "maxQueue" not in bulkhead:
        tree["bulkhead"] = {**bulkhead, "maxQueue": bulkhead["maxConcurrent"]}
    outliers = find_block(tree, "outlierDetection")
    if outliers is not None and not any(name in outliers for name in _DETECTORS):
        tree["outlierDetection"] = {**outliers, "consecutiveFailures": _DEFAULT_STREAK}
    endpoint = find_block(tree, "breaker.endpoint")
    if endpoint is not None:
        own = {name: value for name, value in endpoint.items() if name not in _OF_SERVICE}
        tree["breaker"] = {**(find_block(tree, "breaker") or {}), "endpoint": own}
    return share(tree)


def _share_budget(merged: Tree) -> Tree:
    """Retries and hedges have one budget: what either block says of it, the retries' word first."""
    retry, hedge = find_block(merged, "retry"), find_block(merged, "hedge")
    if retry is None or hedge is None:
        return merged
    budget = {**(find_block(hedge, "budget") or {}), **(find_block(retry, "budget") or {})}
    return {**merged, "retry": {**retry, "budget": budget}, "hedge": {**hedge, "budget": budget}}


def _expand(block: Tree, presets: Mapping[str, Tree]) -> dict[str, Value]:
    named = {name: value for name, value in block.items() if name != "preset"}
    return {**presets.get(find_text(block, "preset"), {}), **named}


def _qualify(bulkhead: dict[str, Value], namespace: str) -> Tree:
    if "sharedName" in bulkhead:
        bulkhead["sharedName"] = f"{namespace}/{bulkhead['sharedName']}"
    return bulkhead


def _validate_timeouts(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    per_try = find_duration(tree, "timeouts.perTry")
    if per_try is None:
        return
    named = find_duration(tree, "timeouts.request")
    request = named or idle.DEFAULT_REQUEST
    if per_try > request:
        text = f"expected at most timeouts.request ({request}), found {per_try}"
        unnamed = f"{per_try} is beyond timeouts.request, which is {request} unless somebody says otherwise"
        yield document.problem(
            f"{path}.timeouts.perTry",
            text if named else unnamed,
            code=Code.PER_TRY_TOO_LONG if named else Code.RETRIES_TOO_LONG,
        )
        return
    attempts = find_number(tree, "retry.attempts")
    tries = 1 + (_DEFAULT_ATTEMPTS if attempts is None else attempts)
    worst = Duration(tries * per_try.nanoseconds)
    if "retry" in tree and worst > request:
        yield document.problem(
            f"{path}.timeouts.perTry",
            f"{tries} tries of {per_try} take {worst}, more than timeouts.request ({request}); "
            "the last ones will not fit",
            code=Code.RETRIES_TOO_LONG,
        )


def _validate_waits(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """Waits that leave no time for the call."""
    request = idle.end_of_request(tree)
    draws_less = find_text(tree, "retry.strategy") in _DRAW_LESS
    for name in ("timeouts.connect", "bulkhead.queueTimeout", "retry.backoff.base"):
        wait = None if draws_less and name.startswith("retry") else find_duration(tree, name)
        if request and wait and wait >= request:
            message = f"expected less than timeouts.request ({request}), found {wait}; nothing would be left"
            yield document.problem(f"{path}.{name}", message, code=Code.WAIT_TOO_LONG)


def _validate_hedge(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """A hedge begins while the first attempt is under way."""
    after = find_text(tree, "hedge.after")
    if not after or after.startswith("p"):
        return
    delay, request = parse_duration(after), idle.end_of_request(tree)
    per_try = find_duration(tree, "timeouts.perTry")
    place = f"{path}.hedge.after"
    if request and delay >= request and find(tree, "timeouts.request") is None:
        message = f"never comes: each request ends after {request} unless timeouts.request says otherwise"
        yield document.problem(place, message, code=Code.HEDGE_NEVER)
    elif request and delay >= request:
        message = f"expected less than timeouts.request ({request}), found {delay}"
        yield document.problem(place, message, code=Code.HEDGE_TOO_LATE)
    elif per_try and delay >= per_try:
        message = f"never comes: each attempt ends after timeouts.perTry ({per_try})"
        yield document.problem(place, message, code=Code.HEDGE_NEVER)


def _validate_ordered(
    document: Document, tree: Tree, path: str, block: str, *, grows: bool = True
) -> Iterator[Problem]:
    """`base` and `max`, of which one may be left at its default."""
    base, longest = find_duration(tree, f"{block}.base"), find_duration(tree, f"{block}.max")
    if base and longest and base > longest:
        message = f"expected at most max ({longest}), found {base}"
        yield document.problem(f"{path}.{block}.base", message, code=Code.BACKWARDS)
    elif grows and base and longest is None and base > (most := _DEFAULT_MAX[block]):
        message = f"{base} is beyond max, which is {most} unless somebody says otherwise"
        yield document.problem(f"{path}.{block}.base", message, code=Code.CAPPED)


def _validate_breaker(document: Document, tree: Tree, path: str, name: str) -> Iterator[Problem]:
    yield from _validate_ordered(document, tree, path, f"{name}.open")
    yield from _validate_window(document, tree, path, name)
    yield from _validate_service_only(document, tree, path, name)
    trip = find_block(tree, f"{name}.trip")
    if trip is None:
        return
    place = f"{path}.{name}.trip"
    if not trip:
        yield document.problem(place, "names nothing, so the breaker never opens", code=Code.IDLE)
    for member, partner in (("slowRate", "slowAfter"), ("slowAfter", "slowRate")):
        if member in trip and partner not in trip:
            yield document.problem(f"{place}.{member}", f"needs {partner} beside it")


def _validate_balancing(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """A hash needs something to hash, and nothing else does."""
    balancing = find_block(tree, "loadBalancing")
    if balancing is None:
        return
    place = f"{path}.loadBalancing"
    named = find_text(balancing, "policy") or "PeakEwma"
    key = find_block(balancing, "hashOn")
    if named in _HASHED and key is None:
        yield document.problem(f"{place}.policy", f"{named} needs hashOn beside it")
    if named not in _HASHED and key is not None:
        yield document.problem(
            f"{place}.hashOn", f"has no meaning with {named}; expected {' or '.join(_HASHED)}"
        )
    if key is not None and not any(key.values()):
        yield document.problem(f"{place}.hashOn", "expected one of header, cookie and sourceIp")


def _validate_service_only(document: Document, tree: Tree, path: str, name: str) -> Iterator[Problem]:
    rules = find_block(tree, name) or {}
    for member in _OF_SERVICE:
        if member in rules and name != _SERVICE_BREAKER:
            yield document.problem(f"{path}.{name}.{member}", "only the service's breaker has it")


def _validate_groups(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """Requests are assigned to groups that there are."""
    groups = find_block(tree, "instanceGroups") or {}
    names = find_block(groups, "groups") or {}
    for index, assigned in enumerate(blocks(groups, "assign")):
        group = find_text(assigned, "group")
        if names and group not in names:
            message = f"expected one of {', '.join(names)}, found {group}"
            yield document.problem(f"{path}.instanceGroups.assign[{index}].group", message)


def _validate_health_check(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    """Something is asked, and may be answered before it is asked again."""
    check = find_block(tree, "healthCheck")
    if check is None:
        return
    if not any(probe in check for probe in _PROBES):
        yield document.problem(f"{path}.healthCheck", f"expected one of {', '.join(_PROBES)}")
    interval, timeout = find_duration(check, "interval"), find_duration(check, "timeout")
    if interval and timeout and timeout > interval:
        message = f"expected at most interval ({interval}), found {timeout}"
        yield document.problem(f"{path}.healthCheck.timeout", message, code=Code.BACKWARDS)


def _validate_lanes(document: Document, tree: Tree, path: str) -> Iterator[Problem]:
    lanes = find_block(tree, "bulkhead.lanes") or {}
    shares = [share for share in lanes.values() if isinstance(share, int | float)]
    if sum(shares) > _WHOLE:
        message = f"expected at most 100 percent together, found {sum(shares):g}"
        yield document.problem(f"{path}.bulkhead.lanes", message)


def _validate_window(document: Document, tree: Tree, path: str, name: str) -> Iterator[Problem]:
    window = find_block(tree, f"{name}.window") or {}
    place = f"{path}.{name}.window"
    kind = find_text(window, "type") or "Count"
    other = {"Count": "duration", "Time": "size"}.get(kind, "")
    if other in window:
        yield document.problem(f"{place}.{other}", f"has no meaning in a {kind} window")
    size, minimum = find_number(window, "size"), find_number(window, "minimumRequests")
    if kind == "Count" and size and minimum and minimum > size:
        message = f"a window of {size} never holds the {minimum} outcomes that rates need"
        yield document.problem(f"{place}.minimumRequests", message)
