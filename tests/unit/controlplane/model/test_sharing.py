"""Trees that say the same are one object, and nothing else is."""

from controlplane.model import sharing
from controlplane.model.sharing import MAX_SHARED, share
from controlplane.model.value import Duration, Map, Tree


def _policy(name: str) -> Tree:
    return {
        "name": name,
        "retry": {"attempts": 3, "budget": {"percent": 10}},
        "limits": ({"per": Duration(1_000)},),
        "labels": Map(team="a"),
    }


def test_a_shared_tree_equals_what_it_was_made_of() -> None:
    assert share(_policy("a")) == _policy("a")
    assert isinstance(share(_policy("a"))["labels"], Map)


def test_equal_trees_are_one_object() -> None:
    assert share(_policy("a")) is share(_policy("a"))


def test_trees_that_differ_in_one_value_share_all_other_blocks() -> None:
    one, other = share(_policy("a")), share(_policy("b"))
    assert one is not other
    assert one["retry"] is other["retry"]
    assert one["labels"] is other["labels"]
    assert isinstance(one["limits"], tuple)
    assert isinstance(other["limits"], tuple)
    assert one["limits"][0] is other["limits"][0]


def test_values_that_python_calls_equal_are_told_apart() -> None:
    trees: list[Tree] = [{"a": 1}, {"a": True}, {"a": 1.0}, Map(a=1)]
    assert [repr(share(tree)) for tree in trees] == ["{'a': 1}", "{'a': True}", "{'a': 1.0}", "Map({'a': 1})"]


def test_fields_stay_in_their_order() -> None:
    assert list(share({"first": 1, "then": 2})) == ["first", "then"]
    assert list(share({"then": 2, "first": 1})) == ["then", "first"]


def test_no_more_than_a_bound_is_remembered() -> None:
    for number in range(MAX_SHARED + 1):
        share({"number": number})
    assert len(sharing._blocks) <= MAX_SHARED
