"""What others always take from a rehearsal, against every request that it concerns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.document import ObjectKey
from controlplane.model.effective import CallerMatch, PolicyRef
from controlplane.model.resource import FaultRules, Outbound, RouteScope
from controlplane.model.route import RouteBackend, RouteRule
from controlplane.model.value import Map, Value
from controlplane.policy.merge import Strategy
from controlplane.snapshot.rehearsals import lost_effects
from registry.model import ServiceName
from sidecar.machines import Rehearsal, standing_rehearsals
from tests.support.examples import thousands

T = TypeVar("T")

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
EFFECTS = ("delay", "abort", "bandwidth")
CART, NEXT = (ServiceName(namespace="shop", name=name) for name in ("cart", "next"))
API = ObjectKey("HTTPRoute", "shop", "api")
SCOPES = (None, RouteScope(API), RouteScope(API, "stays"), RouteScope(API, "leaves"))
WEB, FRONT = CallerMatch(namespace="web"), CallerMatch(namespace="web", service="front")
IDENTITIES = {"stranger": (), "web": (WEB,), "front": (WEB, FRONT)}
MATCHES: dict[str, Value] = {name: Map(path=name) for name in ("x", "y")}


def rule(name: str, backend: ServiceName) -> RouteRule:
    backends = (RouteBackend(service=backend, port=80, weight=1),)
    ref = PolicyRef(key=API, generation=1)
    return RouteRule(route=ref, name=name, created_at=None, ports=(), matches=(), backends=backends)


ROUTES = (rule("stays", CART), rule("leaves", NEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A FaultPolicy, and what it is attached to."""

    name: str
    scopes: tuple[RouteScope | None, ...]
    callers: tuple[CallerMatch, ...]
    merge: Strategy
    effects: tuple[str, ...]
    match: tuple[str, ...]
    hours: int
    age: int
    is_shadow: bool

    @property
    def key(self) -> ObjectKey:
        return ObjectKey("FaultPolicy", "shop", self.name)

    @property
    def rules(self) -> Iterator[FaultRules]:
        settings: dict[str, Value] = {"merge": self.merge.value, **dict.fromkeys(self.effects, 1)}
        if self.match:
            settings["match"] = tuple(MATCHES[name] for name in self.match)
        for scope in self.scopes:
            yield FaultRules(
                policy=PolicyRef(key=self.key, generation=1),
                callers=self.callers,
                settings=settings,
                until=BEGIN + timedelta(hours=self.hours),
                specificity=depth(scope),
                age=(True, float(self.age), self.name),
                is_shadow=self.is_shadow,
                scope=scope,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call: whose it is, under which rule, what it matches, and when."""

    identity: tuple[CallerMatch, ...]
    rule: str
    matched: tuple[str, ...]
    hour: float


REQUESTS = [
    Request(identity=identity, rule=rule, matched=matched, hour=hour)
    for identity, rule, matched, hour in product(
        IDENTITIES.values(), ("", "stays", "leaves"), ((), ("x",), ("y",), ("x", "y")), (0.5, 1.5)
    )
]

ALIKE = [each for each in REQUESTS if not each.matched and each.hour < 1]
"""Those that differ where policies match all requests and end together."""


def depth(scope: RouteScope | None) -> int:
    return 0 if scope is None else 1 + bool(scope.rule)


def scope_of(policy: Policy, request: Request) -> tuple[RouteScope | None] | None:
    """The scope by which a policy concerns a request."""
    ways = {"": SCOPES[:1], "stays": SCOPES[:3], "leaves": (SCOPES[1], SCOPES[3])}
    found = [scope for scope in ways[request.rule] if scope in policy.scopes]
    return (max(found, key=depth),) if found else None


def concerns(policy: Policy, request: Request) -> Rehearsal:
    """What a policy would do to a request; nothing if it does not concern it."""
    scope = scope_of(policy, request)
    named = [caller for caller in policy.callers if caller in request.identity]
    is_named = bool(named or not policy.callers)
    is_matched = not policy.match or bool(set(policy.match) & set(request.matched))
    is_met = scope is not None and is_named and is_matched and request.hour < policy.hours
    rank = max((3 if caller.service else 1 for caller in named), default=0)
    return Rehearsal(
        merge=policy.merge.value,
        specificity=4 * depth(*scope or (None,)) + rank,
        age=policy.age,
        effects=policy.effects if is_met else (),
    )


def lost(found: Sequence[Policy], requests: Iterable[Request]) -> list[set[str]]:
    """Of each policy the effects that no request meets of those that it concerns."""
    left = [set(each.effects) for each in found]
    for request in requests:
        met = [concerns(each, request) for each in found]
        acting = [
            replace(one, effects=()) if each.is_shadow else one for each, one in zip(found, met, strict=True)
        ]
        standing = zip(found, standing_rehearsals(acting), standing_rehearsals(met), strict=True)
        for own, (each, acts, foreseen) in zip(left, standing, strict=True):
            own -= set(foreseen if each.is_shadow else acts)
    return left


def some(values: Sequence[T], least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=2).map(tuple)


def policies(match: Sequence[str], hours: int) -> st.SearchStrategy[list[Policy]]:
    """Some policies whose requests and ends may differ."""
    one = st.builds(
        Policy,
        name=st.sampled_from(["a", "b", "c", "d"]),
        scopes=some(SCOPES, 1),
        callers=some((WEB, FRONT)),
        merge=st.sampled_from(Strategy),
        effects=some(EFFECTS, 1),
        match=some(match) if match else st.just(()),
        hours=st.integers(1, hours),
        age=st.integers(0, 9),
        is_shadow=st.booleans(),
    )
    return st.lists(one, min_size=1, max_size=4, unique_by=(lambda each: each.name, lambda each: each.age))


def told(found: Sequence[Policy], own: Policy) -> set[str]:
    """What the status says that others take."""
    faults = tuple(rules for each in found for rules in each.rules)
    outbound = Outbound(
        service=CART,
        ports=(),
        idempotent_methods=(),
        variants=(),
        rate_limits=(),
        faults=faults,
        routes=ROUTES,
    )
    takers = lost_effects(outbound, own.key)
    stated = {each.key: each for each in found}
    assert all(taker != own.key and stated[taker].effects for taker in takers.values())
    return set(takers)


@thousands()
@given(policies((), 1))
def test_what_no_request_meets_is_lost(found: list[Policy]) -> None:
    assert [told(found, own) for own in found] == lost(found, ALIKE)


@thousands()
@given(policies(("x", "y"), 2))
def test_what_is_told_to_be_lost_no_request_meets(found: list[Policy]) -> None:
    for own, gone in zip(found, lost(found, REQUESTS), strict=True):
        assert told(found, own) <= gone
