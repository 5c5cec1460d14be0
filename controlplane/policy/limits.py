"""One limit of a RateLimitPolicy: which fields go together, and its complete form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controlplane.model.codes import Code
from controlplane.model.value import Tree, blocks, find, find_block, find_duration, find_number, find_text
from controlplane.policy import idle, match
from controlplane.policy.target import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controlplane.model.document import Document, Problem

_SECOND: Final = 1_000_000_000
_DEFAULT_ALGORITHM: Final = "TokenBucket"
_KEYED: Final = frozenset({"by", "onMissing", "maxKeys", "whenKeysFull", "scope"})
_MOVED: Final = frozenset({"match", "adaptive"})
_COUNTED: Final = frozenset({"algorithm", "per", "cost", "countRefused"})
# What is limited, and the fields that go with it.
_KINDS: Final = {
    "requests": _KEYED | _MOVED | _COUNTED | {"burst", "queue", "maxWait", "evict", "aligned", "buckets"},
    "concurrency": _KEYED | _MOVED,
    "connections": _KEYED,
    "bandwidth": frozenset({"match", "maxKeys", "whenKeysFull"}),
    "resource": frozenset({"match"}),
}
# What only the target's own sidecars can measure.
_AT_CALLEE: Final = {
    "connections": "counted where they are accepted",
    "resource": "measured where the target runs",
}
# Fields that only one algorithm has.
_OWNERS: Final = {
    "burst": "TokenBucket",
    "queue": "LeakyBucket",
    "maxWait": "LeakyBucket",
    "evict": "LeakyBucket",
    "aligned": "FixedWindow",
    "buckets": "SlidingWindow",
}
_UNBOUNDED: Final = frozenset({"path", "query"})
_LONGEST_LOG: Final = 10_000
_ENTRY_BYTES: Final = 16
_MAX_KEYS: Final = 65_536
_MUCH_MEMORY: Final = 1 << 30


def validate(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """What is wrong between the fields of the limit at `path`."""
    if kind := find_kind(limit):
        yield from _validate_kind(document, limit, kind, path)
    else:
        choices = ", ".join(_KINDS)
        yield document.problem(path, f"names nothing to limit; set one of {choices}", code=Code.BAD_LIMIT)
    yield from match.validate_subjects(document, limit, path)
    yield from _validate_keys(document, limit, path)
    yield from match.validate_matches(document, limit, path)
    for place, message in idle.find_in_limit(limit):
        yield document.problem(f"{path}.{place}", message, code=Code.IDLE)


def find_kind(limit: Tree) -> str:
    """What is limited, by the name of its field; empty if nothing is."""
    return next((kind for kind in _KINDS if kind in limit), "")


def complete(limit: Tree) -> Tree:
    """A limit with every default, without the fields of other kinds and algorithms, and with its burst.

    Where the figure moves, a burst that nobody wrote moves along.
    """
    kind, algorithm = find_kind(limit), _algorithm(limit)
    fields = _KINDS[kind] | {"name", kind}
    own = {
        name: value
        for name, value in limit.items()
        if name in fields and _OWNERS.get(name, algorithm) == algorithm
    }
    if kind == "resource":
        return {**own, kind: _complete_resource(find_block(limit, kind) or {})}
    if kind != "requests":
        return own
    if algorithm == _DEFAULT_ALGORITHM and "adaptive" not in limit:
        own.setdefault("burst", default_burst(limit))
    return {**own, "cost": _complete_cost(find_block(limit, "cost") or {})}


def _complete_cost(cost: Tree) -> Tree:
    """Where a header names the cost: what it is without one. An answer that says nothing cost nothing."""
    if "header" in cost:
        return {"default": 1, **cost}
    return {"default": 0, **cost} if "responseHeader" in cost else cost


def _complete_resource(figures: Tree) -> Tree:
    """It is over when it is less than what began it, unless that is said otherwise."""
    blocks = ((name, find_block(figures, name) or {}) for name in figures)
    return {name: {"exit": block.get("enter", 0), **block} for name, block in blocks}


def total(limit: Tree, members: int) -> str:
    """What so many sidecars admit together, in words; empty where figures do not add up."""
    match find_kind(limit):
        case "requests":
            return f"{(find_number(limit, 'requests') or 0) * members} per {find_duration(limit, 'per')}"
        case "concurrency":
            return f"{(find_number(limit, 'concurrency') or 0) * members} in flight"
        case "connections":
            figures = {"concurrent": "open at once", "perSecond": "new per second"}
            block = find_block(limit, "connections") or {}
            known = ((find_number(block, name), text) for name, text in figures.items())
            return ", ".join(f"{figure * members} {text}" for figure, text in known if figure)
        case _:
            return ""


def default_burst(limit: Tree) -> int:
    """Requests per second, rounded down exactly, and at least 1."""
    requests, per = find_number(limit, "requests"), find_duration(limit, "per")
    if not requests or not per:
        return 1
    return max(1, requests * _SECOND // per.nanoseconds)


def _validate_kind(document: Document, limit: Tree, kind: str, path: str) -> Iterator[Problem]:
    for name in limit:
        if name not in _KINDS[kind] and name not in _KINDS and name != "name":
            message = f"a limit of {kind} has no such field"
            yield document.problem(f"{path}.{name}", message, code=Code.BAD_LIMIT)
    yield from _validate_bounds(document, limit, kind, path)
    match kind:
        case "requests":
            yield from _validate_figures(document, limit, path)
        case "connections":
            yield from _validate_at_callee(document, kind, path)
            yield from _validate_of_service(document, path)
            yield from _validate_connections(document, limit, path)
        case "resource":
            yield from _validate_at_callee(document, kind, path)
            yield from _validate_resource(document, limit, path)


def _validate_bounds(document: Document, limit: Tree, kind: str, path: str) -> Iterator[Problem]:
    """A figure that moves, outside of its bounds or after nothing."""
    target = find_block(limit, "adaptive.target")
    if target is not None and not target:
        yield document.problem(f"{path}.adaptive.target", "expected p99, cpuPercent or queuePercent")
    figure, low, high = (find_number(limit, name) for name in (kind, "adaptive.min", "adaptive.max"))
    if figure is None or low is None or high is None:
        return
    if low > high:
        message = f"expected at most max ({high}), found {low}"
        yield document.problem(f"{path}.adaptive.min", message, code=Code.OUT_OF_BOUNDS)
    elif not low <= figure <= high:
        message = f"expected from adaptive.min ({low}) to adaptive.max ({high}), found {figure}"
        yield document.problem(f"{path}.{kind}", message, code=Code.OUT_OF_BOUNDS)
    if _algorithm(limit) == "SlidingLog" and high > _LONGEST_LOG:
        message = f"a SlidingLog has {_LONGEST_LOG} at most"
        yield document.problem(f"{path}.adaptive.max", message, code=Code.LOG_TOO_LONG)


def _validate_figures(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    algorithm = _algorithm(limit)
    if "per" not in limit:
        yield document.problem(f"{path}.per", "required with requests")
        return
    for name, owner in _OWNERS.items():
        if name in limit and owner != algorithm:
            message = f"only a {owner} has it, and this is a {algorithm}"
            yield document.problem(f"{path}.{name}", message, code=Code.BAD_LIMIT)
    if algorithm == "SlidingLog":
        yield from _validate_log(document, limit, path)
    yield from _validate_burst(document, limit, path)
    yield from _validate_cost(document, limit, path)


def _validate_log(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Logs that grow too long."""
    requests = find_number(limit, "requests") or 0
    bytes_of_all = requests * (find_number(limit, "maxKeys") or _MAX_KEYS) * _ENTRY_BYTES
    if requests > _LONGEST_LOG:
        yield document.problem(
            f"{path}.requests",
            f"a SlidingLog keeps an entry for each request, {_LONGEST_LOG} at most; "
            "a SlidingWindow counts any number, closely",
            code=Code.LOG_TOO_LONG,
        )
    elif "by" in limit and bytes_of_all > _MUCH_MEMORY:
        yield document.problem(
            f"{path}.maxKeys",
            "so many logs, all full, take more than 1 GiB; lower maxKeys, or take a SlidingWindow",
            code=Code.LOGS_TOO_LARGE,
        )


def _validate_keys(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Subjects that whoever calls can make up without end."""
    for index, subject in enumerate(blocks(limit, "by")):
        for name in _UNBOUNDED & subject.keys():
            yield document.problem(
                f"{path}.by[{index}].{name}",
                f"every other {name} is a subject of its own, which callers make up at will",
                code=Code.KEYS_UNBOUNDED,
            )


def _validate_burst(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """A default that admits less at a time than most people mean."""
    requests = find_number(limit, "requests") or 0
    if (
        "burst" not in limit
        and _algorithm(limit) == _DEFAULT_ALGORITHM
        and default_burst(limit) == 1 < requests
    ):
        yield document.problem(
            f"{path}.requests",
            f"{requests} per {find_duration(limit, 'per')} is less than 2 a second, and burst unset is 1: "
            "of requests that come together only the first is admitted",
            code=Code.BURST_OF_ONE,
        )


def _validate_cost(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    """Costs that could never be admitted, of every request or of those that do not say another one."""
    capacity, name = _capacity(limit)
    if capacity is None or find(limit, "cost.responseHeader") is not None:
        return
    for field, what in (("fixed", "nothing"), ("default", "nothing without the header")):
        cost = find_number(limit, f"cost.{field}")
        if cost is not None and cost > capacity:
            yield document.problem(
                f"{path}.cost.{field}",
                f"a cost of {cost} never fits into {name}, so {what} would be admitted",
                code=Code.COST_TOO_HIGH,
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


def is_for_callers(limit: Tree) -> bool:
    """Whether callers can enforce the limit."""
    return find_kind(limit) not in _AT_CALLEE


def _validate_at_callee(document: Document, kind: str, path: str) -> Iterator[Problem]:
    """A limit that callers would have to enforce, and cannot."""
    where = _AT_CALLEE[kind]
    if find_text(document.spec, "at") == "Caller":
        message = f"{where}, and at is Caller; leave at out"
        yield document.problem(f"{path}.{kind}", message, code=Code.NOT_FOR_CALLERS)
    for external in (one for one in targets(document) if one.kind == "ExternalService"):
        message = f"{where}; expected targets that have sidecars, found {external}"
        yield document.problem(f"{path}.{kind}", message, code=Code.NOT_FOR_CALLERS)


def _validate_of_service(document: Document, path: str) -> Iterator[Problem]:
    """Connections are accepted before anybody knows what their requests fall under."""
    for place in (one for one in targets(document) if one.is_route):
        message = f"a route has no connections; expected services as targets, found {place}"
        yield document.problem(f"{path}.connections", message, code=Code.BAD_TARGET)


def _validate_resource(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    figures = find_block(limit, "resource") or {}
    if not figures:
        yield document.problem(f"{path}.resource", "expected cpuPercent, memoryPercent or pressure")
    for name in figures:
        enter, leave = (find(figures, f"{name}.{each}") for each in ("enter", "exit"))
        if isinstance(enter, (int, float)) and isinstance(leave, (int, float)) and leave > enter:
            message = f"expected at most enter ({enter:g}), found {leave:g}"
            yield document.problem(f"{path}.resource.{name}.exit", message, code=Code.OUT_OF_BOUNDS)


def _validate_connections(document: Document, limit: Tree, path: str) -> Iterator[Problem]:
    if not find_block(limit, "connections"):
        yield document.problem(f"{path}.connections", "expected concurrent, perSecond or both")
    for index, subject in enumerate(blocks(limit, "by")):
        for name in subject:
            if name != "sourceIp":
                yield document.problem(
                    f"{path}.by[{index}].{name}", "of a connection only its sourceIp is known"
                )
