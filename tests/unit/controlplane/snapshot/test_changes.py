"""Differences of large mappings."""

from controlplane.snapshot.changes import changes


def test_the_same_mapping_has_no_changes() -> None:
    members = {"a": "x"}
    assert changes(members, members) == ({}, {})


def test_an_equal_member_is_no_change() -> None:
    assert changes({"a": [1]}, {"a": [1]}) == ({}, {})


def test_a_replaced_member_went_and_came() -> None:
    before = {"a": "x", "b": "y"}
    assert changes(before, {**before, "b": "z"}) == ({"b": "y"}, {"b": "z"})


def test_members_are_found_whatever_their_order() -> None:
    assert changes({"a": "x", "b": "y"}, {"c": "w", "b": "y", "a": "v"}) == ({"a": "x"}, {"c": "w", "a": "v"})


def test_members_under_other_keys_of_one_count_are_found() -> None:
    assert changes({"a": "x"}, {"b": "x"}) == ({"a": "x"}, {"b": "x"})
