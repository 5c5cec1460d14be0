"""Merging by level, strategy and age."""

from controlplane.model.document import ObjectKey
from controlplane.model.effective import PolicyRef
from controlplane.model.value import Map, Tree
from controlplane.policy.merge import Contribution, Merged, Strategy, merge, trace
from tests.support.builders import SCHEMA

BLOCK = SCHEMA.blocks["Resilience"]


def say(
    name: str, settings: Tree, *, level: int = 3, age: int = 0, strategy: Strategy = Strategy.PATCH_DEFAULTS
) -> Contribution:
    return Contribution(
        policy=PolicyRef(key=ObjectKey("ResiliencePolicy", "shop", name), generation=1),
        level=f"level {level}",
        strategy=strategy,
        specificity=(level,),
        age=(age,),
        settings=settings,
    )


def merged(*contributions: Contribution) -> Merged:
    return merge(contributions, BLOCK)


def authors(result: Merged) -> dict[str, str]:
    return {
        ".".join(path): origin.policy.key.name for path, origin in result.origins.items() if origin.policy
    }


def test_nothing_said_is_nothing_in_force() -> None:
    assert merged().tree == {}


def test_patch_defaults_fill_in_what_the_more_specific_leaves_out() -> None:
    result = merged(
        say("broad", {"timeouts": {"request": 1, "connect": 2}, "bulkhead": {"maxQueue": 5}}, level=1),
        say("narrow", {"timeouts": {"request": 9}}),
    )
    assert result.tree == {"timeouts": {"request": 9, "connect": 2}, "bulkhead": {"maxQueue": 5}}
    assert authors(result) == {
        "timeouts.request": "narrow",
        "timeouts.connect": "broad",
        "bulkhead.maxQueue": "broad",
    }


def test_atomic_defaults_apply_only_where_the_block_is_absent() -> None:
    result = merged(
        say(
            "broad",
            {"timeouts": {"connect": 2}, "bulkhead": {"maxQueue": 5}},
            level=1,
            strategy=Strategy.ATOMIC_DEFAULTS,
        ),
        say("narrow", {"timeouts": {"request": 9}}),
    )
    assert result.tree == {"timeouts": {"request": 9}, "bulkhead": {"maxQueue": 5}}


def test_patch_overrides_win_field_by_field() -> None:
    result = merged(
        say("broad", {"timeouts": {"request": 1}}, level=1, strategy=Strategy.PATCH_OVERRIDES),
        say("narrow", {"timeouts": {"request": 9, "connect": 3}}),
    )
    assert result.tree == {"timeouts": {"request": 1, "connect": 3}}
    assert authors(result) == {"timeouts.request": "broad", "timeouts.connect": "narrow"}


def test_atomic_overrides_replace_whole_blocks() -> None:
    result = merged(
        say("broad", {"timeouts": {"request": 1}}, level=1, strategy=Strategy.ATOMIC_OVERRIDES),
        say("narrow", {"timeouts": {"request": 9, "connect": 3}, "retry": {"attempts": 1}}),
    )
    assert result.tree == {"timeouts": {"request": 1}, "retry": {"attempts": 1}}


def test_of_two_overrides_the_broader_wins() -> None:
    result = merged(
        say("mesh", {"timeouts": {"request": 1}}, level=1, strategy=Strategy.PATCH_OVERRIDES),
        say("namespace", {"timeouts": {"request": 2}}, level=2, strategy=Strategy.PATCH_OVERRIDES),
    )
    assert result.tree == {"timeouts": {"request": 1}}


def test_atomic_defaults_are_not_hidden_by_a_broader_override() -> None:
    result = merged(
        say("mesh", {"timeouts": {"request": 1}}, level=1, strategy=Strategy.PATCH_OVERRIDES),
        say("own", {"timeouts": {"connect": 2}}, strategy=Strategy.ATOMIC_DEFAULTS),
    )
    assert result.tree == {"timeouts": {"connect": 2, "request": 1}}


def test_at_one_level_the_older_wins() -> None:
    result = merged(
        say("newer", {"timeouts": {"request": 2, "connect": 2}}, age=2),
        say("older", {"timeouts": {"request": 1}}, age=1),
    )
    assert result.tree == {"timeouts": {"request": 1, "connect": 2}}


def test_of_overrides_at_one_level_the_older_wins() -> None:
    result = merged(
        say("newer", {"timeouts": {"request": 2}}, age=2, strategy=Strategy.PATCH_OVERRIDES),
        say("older", {"timeouts": {"request": 1}}, age=1, strategy=Strategy.ATOMIC_OVERRIDES),
    )
    assert result.tree == {"timeouts": {"request": 1}}


def test_an_override_wins_over_defaults_of_its_own_level() -> None:
    result = merged(
        say("older", {"timeouts": {"request": 1}}, age=1),
        say("newer", {"timeouts": {"request": 2}}, age=2, strategy=Strategy.PATCH_OVERRIDES),
    )
    assert result.tree == {"timeouts": {"request": 2}}


def test_lists_are_taken_whole() -> None:
    result = merged(
        say("broad", {"retry": {"when": ("503", "Reset")}}, level=1),
        say("narrow", {"retry": {"when": ("502",)}}),
    )
    assert result.tree == {"retry": {"when": ("502",)}}


def test_an_empty_block_is_something_said() -> None:
    assert merged(say("own", {"breaker": {"endpoint": {}}})).tree == {"breaker": {"endpoint": {}}}


def test_an_empty_block_takes_in_what_others_say_of_it() -> None:
    service = {"breaker": {"service": {"resetTimeout": 5}}}
    for first, second in (({"breaker": {"service": {}}}, service), (service, {"breaker": {"service": {}}})):
        assert merged(say("a", first, level=1), say("b", second)).tree == service


def test_of_fields_that_exclude_each_other_the_winner_is_kept_alone() -> None:
    broad: Tree = {"breaker": {"service": {"halfOpen": {"successThreshold": 3}}}}
    narrow: Tree = {"breaker": {"service": {"halfOpen": {"probes": 10}}}}
    assert merged(say("broad", broad, level=1), say("narrow", narrow)).tree == narrow
    overriding = say("broad", broad, level=1, strategy=Strategy.PATCH_OVERRIDES)
    assert merged(overriding, say("narrow", narrow)).tree == broad


def test_every_leaf_of_the_completed_tree_has_an_origin() -> None:
    result = merged(say("own", {"timeouts": {"request": 9}, "bulkhead": {}}))
    origins = trace({"timeouts": {"request": 9, "connect": 1}, "bulkhead": {"maxQueue": 1}}, result.origins)
    assert [(origin.path, origin.level) for origin in origins] == [
        ("bulkhead", "level 3"),
        ("bulkhead.maxQueue", "Default"),
        ("timeouts.connect", "Default"),
        ("timeouts.request", "level 3"),
    ]


def test_maps_are_taken_whole() -> None:
    def grouped(name: str) -> Tree:
        group: Tree = {"matchLabels": {"pool": name}}
        return {"instanceGroups": {"groups": Map({name: group}), "assign": ({"group": name},)}}

    result = merged(say("broad", grouped("bulk"), level=1), say("narrow", grouped("critical")))
    assert result.tree == grouped("critical")
    assert authors(result) == {"instanceGroups.groups": "narrow", "instanceGroups.assign": "narrow"}


def test_of_blocks_that_exclude_each_other_the_winner_is_kept_alone() -> None:
    tcp: Tree = {"healthCheck": {"tcp": {}}}
    http: Tree = {"healthCheck": {"http": {"path": "/ready"}}}
    for narrow, broad in ((tcp, http), (http, tcp)):
        assert merged(say("broad", broad, level=1), say("narrow", narrow)).tree == narrow
        overriding = say("broad", broad, level=1, strategy=Strategy.PATCH_OVERRIDES)
        assert merged(overriding, say("narrow", narrow)).tree == broad
