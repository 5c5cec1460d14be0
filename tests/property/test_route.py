"""Routes against the Gateway API's precedence, written down naively, and splits against exact fractions."""

from collections import Counter
from fractions import Fraction
from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from sidecar.machines.route import RouteMatch, RouteRule, RouteTable, SplitTurns
from tests.support.examples import thousands

SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3)
PATHS = SEGMENTS.map(lambda parts: "/" + "/".join(parts))
METHODS = st.sampled_from(["GET", "PUT"])
PAIRS = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"])),
    max_size=2,
    unique_by=lambda pair: pair[0],
)
MATCHES = st.builds(
    RouteMatch,
    path=st.none() | st.tuples(st.sampled_from(["exact", "prefix"]), PATHS),
    method=st.none() | METHODS,
    headers=PAIRS,
    queries=PAIRS,
)
RULES = st.builds(
    RouteRule,
    route=st.sampled_from(["shop/a", "shop/b"]),
    created_ns=st.none() | st.integers(1, 3),
    matches=st.lists(MATCHES, max_size=3),
)


def holds(
    match: RouteMatch, method: str, path: str, headers: dict[str, str], queries: dict[str, str]
) -> bool:
    """Whether a request meets all of a match."""
    return (
        match.method in {None, method}
        and (match.path is None or path_holds(*match.path, path))
        and all(headers.get(name) == value for name, value in match.headers)
        and all(queries.get(name) == value for name, value in match.queries)
    )


def path_holds(kind: str, value: str, path: str) -> bool:
    """Whether a path is the value, or has its segments first."""
    if kind == "exact":
        return path == value
    parts = [part for part in value.split("/") if part]
    return path.split("/")[1 : len(parts) + 1] == parts


def precedence(match: RouteMatch) -> tuple[int, ...]:
    """The greater goes first (Gateway API, HTTPRouteRule)."""
    kind, value = match.path or ("prefix", "/")
    length = 0 if kind == "exact" else len(value)
    is_exact = int(kind == "exact")
    return is_exact, length, int(match.method is not None), len(match.headers), len(match.queries)


@thousands()
@given(st.lists(RULES, max_size=5), METHODS, PATHS, st.builds(dict, PAIRS), st.builds(dict, PAIRS))
def test_the_rule_is_that_of_the_first_match_in_precedence(
    rules: list[RouteRule], method: str, path: str, headers: dict[str, str], queries: dict[str, str]
) -> None:
    met = [
        ([-part for part in precedence(match)], rule.created_ns or 1 << 62, rule.route, place)
        for place, rule in enumerate(rules)
        for match in rule.matches or [RouteMatch()]
        if holds(match, method, path, headers, queries)
    ]
    expected = min(met)[-1] if met else None
    assert RouteTable(rules).find(method, path, headers, queries) == expected


@thousands()
@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(0, 40))
def test_a_split_is_exact_over_any_turns_in_a_row_and_smooth(weights: list[int], skipped: int) -> None:
    turns = SplitTurns()
    total, divisor = sum(weights), gcd(*weights)
    if not total:
        assert turns.next(weights) is None
        return
    period = total // divisor
    chosen = [turns.next(weights) for _ in range(skipped + period)]
    counts = Counter(chosen[skipped:])
    assert [counts[place] for place in range(len(weights))] == [weight // divisor for weight in weights]
    for place, weight in enumerate(weights):
        fair = Fraction(weight, total)
        behind = max(abs(fair * at - chosen[:at].count(place)) for at in range(1, len(chosen) + 1))
        assert behind < len(weights)
