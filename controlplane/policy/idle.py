"""What policies say in vain: allowed, and probably not meant.

Of fields of a ResiliencePolicy that nobody names the defaults are taken, though another policy may name them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from controlplane.model.value import Duration, blocks, find_block, find_duration, find_number, find_text
from controlplane.model.value import find as look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from controlplane.model.value import Tree

Found: TypeAlias = "Iterator[tuple[str, str]]"
"""Paths within the behaviours, each with a message."""

_UNLESS: Final = "unless somebody says otherwise"
_DEFAULT_STRATEGY: Final = "FullJitter"
DEFAULT_REQUEST: Final = Duration(15_000_000_000)
_DEFAULT_SIZE: Final = 100
# What of `retry.backoff` each strategy looks at.
_OF_STRATEGY: Final[Mapping[str, frozenset[str]]] = {
    "Immediate": frozenset(),
    "Fixed": frozenset({"base"}),
    "Exponential": frozenset({"base", "multiplier", "max"}),
    "ExponentialJitter": frozenset({"base", "multiplier", "max", "jitter"}),
    "FullJitter": frozenset({"base", "multiplier", "max"}),
    "Decorrelated": frozenset({"base", "max"}),
}
_OF_KEYS: Final = ("onMissing", "maxKeys", "whenKeysFull")
_OF_QUEUES: Final = ("maxWait", "evict")
_DEFAULT_WAIT: Final = Duration(1_000_000_000)
_BREAKERS: Final = ("breaker.service", "breaker.endpoint")
_RATES: Final = ("errorRate", "slowRate")
_WHOLE: Final = 100


def find(tree: Tree) -> Found:
    """All that the blocks in `tree` say in vain."""
    yield from _timeouts(tree)
    yield from _retry(tree)
    yield from _breaker(tree)
    yield from _endpoints(tree)
    yield from _caps(tree)
    if look_up(tree, "healthCheck.http.expect") == ():
        yield "healthCheck.http.expect", "names no status, so that no answer passes"


def _timeouts(tree: Tree) -> Found:
    """Ends that another one always comes before; only of those that are both named."""
    for name, other in (("connect", "perTry"), ("streamIdle", "maxStreamDuration")):
        end, earlier = find_duration(tree, f"timeouts.{name}"), find_duration(tree, f"timeouts.{other}")
        if end and earlier and end > earlier:
            yield f"timeouts.{name}", f"never comes: {other} ({earlier}) ends it before"


def _retry(tree: Tree) -> Found:
    retry = find_block(tree, "retry") or {}
    if retry.get("when") == ():
        yield "retry.when", "names nothing, so that nothing is tried again"
    named = find_text(retry, "strategy")
    strategy = named or _DEFAULT_STRATEGY
    default = "" if named else f", which strategy is {_UNLESS}"
    for name in find_block(retry, "backoff") or {}:
        if name not in _OF_STRATEGY[strategy]:
            yield f"retry.backoff.{name}", f"has no effect with {strategy}{default}"
    for block in ("retry", "hedge"):
        floor = find_number(tree, f"{block}.budget.minRetryRate.count")
        if look_up(tree, f"{block}.budget.percent") == 0 == floor:
            yield f"{block}.budget", "grants nothing, so that nothing is tried again"


def end_of_request(tree: Tree) -> Duration | None:
    """When a request is over, be it by default; `None` where no block says anything of time."""
    timeouts = find_block(tree, "timeouts")
    return None if timeouts is None else find_duration(timeouts, "request") or DEFAULT_REQUEST


def _breaker(tree: Tree) -> Found:
    if find_block(tree, "breaker") == {}:
        yield "breaker", "names no breaker; expected service, endpoint or both"
    for path in _BREAKERS:
        rules = find_block(tree, path) or {}
        yield from _rates(rules, path)
        slow = find_duration(rules, "trip.slowAfter")
        request = end_of_request(tree)
        if slow and request and slow >= request:
            message = f"no call takes so long: timeouts.request ({request}) ends it before"
            yield f"{path}.trip.slowAfter", message
        if "overloadOpen" in rules and not rules.get("overloadTrips"):
            yield f"{path}.overloadOpen", "has no effect without overloadTrips: true"


def _rates(rules: Tree, path: str) -> Found:
    """A window that rates are taken over, where there are none, or that never holds what they need."""
    window, trip = find_block(rules, "window") or {}, find_block(rules, "trip")
    if window and trip and not any(name in trip for name in _RATES):
        yield f"{path}.window", f"has no effect: trip names no rate, {' or '.join(_RATES)}, to take over it"
        return
    minimum = find_number(window, "minimumRequests")
    is_count = find_text(window, "type") != "Time" and "size" not in window
    if is_count and minimum is not None and minimum > _DEFAULT_SIZE:
        message = f"means {_DEFAULT_SIZE}, which the size of the window is {_UNLESS}"
        yield f"{path}.window.minimumRequests", message


def _endpoints(tree: Tree) -> Found:
    outliers = find_block(tree, "outlierDetection") or {}
    if outliers.get("maxEjectedPercent") == 0:
        message = "one endpoint may be ejected in any case; for none, leave the block out"
        yield "outlierDetection.maxEjectedPercent", message
    if outliers.get("panicThresholdPercent") == _WHOLE:
        message = "nobody is ever set aside, since with one endpoint ejected fewer are healthy"
        yield "outlierDetection.panicThresholdPercent", message
    groups = find_block(tree, "instanceGroups") or {}
    if "overflowBelowPercent" in groups and find_text(groups, "overflow") != "WhenBelow":
        yield "instanceGroups.overflowBelowPercent", "has no effect without overflow: WhenBelow"
    for index, assigned in enumerate(blocks(groups, "assign")[:-1]):
        if assigned.keys() <= {"group"}:
            yield (
                f"instanceGroups.assign[{index + 1}]",
                f"comes after assign[{index}], which takes all requests",
            )
            return


def _caps(tree: Tree) -> Found:
    bulkhead = find_block(tree, "bulkhead") or {}
    if bulkhead.get("maxQueue") == 0 and "queueTimeout" in bulkhead:
        yield "bulkhead.queueTimeout", "has no effect: with maxQueue 0 nobody waits"
    if look_up(tree, "admissionControl.maxRejectPercent") == 0:
        yield "admissionControl.maxRejectPercent", "keeps no call back"


def find_in_limit(limit: Tree) -> Found:
    """All that one limit of a RateLimitPolicy says in vain, by paths within it."""
    yield from _keys(limit)
    if find_text(limit, "algorithm") == "LeakyBucket":
        yield from _line(limit)
    cost = find_block(limit, "cost") or {}
    if "default" in cost and not cost.keys() & {"header", "responseHeader"}:
        yield "cost.default", "has no effect without header or responseHeader"
    low, high = find_number(limit, "adaptive.min"), find_number(limit, "adaptive.max")
    if low is not None and low == high:
        yield "adaptive", f"never moves: min and max are {low}"


def _keys(limit: Tree) -> Found:
    """What is said of subjects where there is one for all."""
    bandwidth = find_block(limit, "bandwidth")
    is_keyed = find_text(bandwidth, "per") == "Client" if bandwidth is not None else bool(limit.get("by"))
    needed = "by" if bandwidth is None else "per: Client"
    for name in _OF_KEYS:
        if name in limit and not is_keyed:
            yield name, f"has no effect without {needed}"
    seen: dict[tuple[str, str], int] = {}
    for index, subject in enumerate(blocks(limit, "by")):
        for name, value in subject.items():
            text = str(value).lower() if name == "header" else str(value)
            first = seen.setdefault((name, text), index)
            if first != index:
                yield f"by[{index}]", f"the same as by[{first}]"


def _line(limit: Tree) -> Found:
    """A leaky bucket without places, or with more than can be taken within `maxWait`."""
    places, requests = find_number(limit, "queue") or 0, find_number(limit, "requests")
    per, longest = find_duration(limit, "per"), find_duration(limit, "maxWait") or _DEFAULT_WAIT
    if not places:
        for name in _OF_QUEUES:
            if name in limit:
                yield name, "has no effect: without a queue nobody waits"
    elif places > 1 and requests and per and per.nanoseconds > longest.nanoseconds * requests:
        turn = Duration(per.nanoseconds // requests)
        yield "queue", f"holds one at most: each is due {turn} after the one before, and maxWait is {longest}"
