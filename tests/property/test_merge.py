"""Merging against a model that decides each field by itself, by ranking all that name it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controlplane.model.document import ObjectKey
from controlplane.model.resource import PolicyRef
from controlplane.policy.merge import Contribution, Strategy, merge
from tests.support.builders import SCHEMA

BLOCK = SCHEMA.blocks["Resilience"]
FIELDS = (
    ("timeouts", "request"),
    ("timeouts", "connect"),
    ("bulkhead", "maxConcurrent"),
    ("bulkhead", "maxQueue"),
)


@st.composite
def contributions(draw: st.DrawFn) -> tuple[Contribution, ...]:
    """Some policies over three levels, no two of one age; each value names its policy."""
    count = draw(st.integers(0, 6))
    found = []
    for number in range(count):
        fields = draw(st.sets(st.sampled_from(FIELDS)))
        settings: dict[str, dict[str, int]] = {}
        for block, name in sorted(fields):
            settings.setdefault(block, {})[name] = number
        contribution = Contribution(
            policy=PolicyRef(key=ObjectKey("ResiliencePolicy", "shop", f"p{number}"), generation=1),
            level="",
            strategy=draw(st.sampled_from(Strategy)),
            specificity=(draw(st.integers(1, 3)),),
            age=(number,),
            settings=settings,
        )
        found.append(contribution)
    return tuple(draw(st.permutations(found)))


def beats(one: Contribution, other: Contribution) -> bool:
    """Whether `one` has the say over `other` in a field that both name."""
    if one.strategy.overrides != other.strategy.overrides:
        return one.strategy.overrides
    if one.specificity != other.specificity:
        return (one.specificity < other.specificity) == one.strategy.overrides
    return one.age < other.age


def is_shut_out(contribution: Contribution, block: str, everybody: tuple[Contribution, ...]) -> bool:
    """Whether a block of a contribution is out of force as a whole, because another has it."""
    others = [each for each in everybody if each is not contribution and block in each.settings]
    replaced = any(
        other.strategy is Strategy.ATOMIC_OVERRIDES
        and other.specificity <= contribution.specificity
        and beats(other, contribution)
        for other in others
    )
    return replaced or (
        contribution.strategy is Strategy.ATOMIC_DEFAULTS
        and any(goes_before(other, contribution) for other in others)
    )


def goes_before(one: Contribution, other: Contribution) -> bool:
    """Whether `one` is more specific, or states defaults at the same level and is older."""
    if one.specificity != other.specificity:
        return one.specificity > other.specificity
    return not one.strategy.overrides and one.age < other.age


def model(everybody: tuple[Contribution, ...]) -> dict[tuple[str, str], Contribution]:
    winners: dict[tuple[str, str], Contribution] = {}
    for block, name in FIELDS:
        for each in everybody:
            settings = each.settings.get(block)
            if not isinstance(settings, dict) or name not in settings or is_shut_out(each, block, everybody):
                continue
            winner = winners.get((block, name))
            if winner is None or beats(each, winner):
                winners[block, name] = each
    return winners


@given(contributions())
def test_merging_agrees_with_the_model_and_names_who_won(everybody: tuple[Contribution, ...]) -> None:
    merged = merge(everybody, BLOCK)
    expected = model(everybody)
    assert {path: origin.policy for path, origin in merged.origins.items()} == {
        path: winner.policy for path, winner in expected.items()
    }


@given(contributions())
def test_the_order_of_arrival_does_not_matter(everybody: tuple[Contribution, ...]) -> None:
    assert merge(everybody, BLOCK) == merge(everybody[::-1], BLOCK)


@given(contributions())
def test_what_says_nothing_changes_nothing(everybody: tuple[Contribution, ...]) -> None:
    if everybody:
        silent = replace(everybody[0], settings={}, age=(99,))
        assert merge((*everybody, silent), BLOCK) == merge(everybody, BLOCK)


@given(contributions())
def test_every_value_is_the_one_its_origin_says(everybody: tuple[Contribution, ...]) -> None:
    merged = merge(everybody, BLOCK)
    for path, origin in merged.origins.items():
        block = merged.tree[path[0]]
        assert isinstance(block, dict)
        assert origin.policy is not None
        assert origin.policy.key.name == f"p{block[path[1]]}"
