"""YAML within bounds."""

import pytest

from controlplane.sources import nodes
from controlplane.sources.nodes import (
    Entries,
    Items,
    OutOfBoundsError,
    Scalar,
    UnreadableError,
    compose,
    compose_each,
)


def test_nodes_know_their_lines() -> None:
    [document] = compose("a: 1\nb:\n- x\n")
    assert isinstance(document, Entries)
    (first, one), (second, items) = document.entries
    assert [(first.line, one.line), (second.line, items.line)] == [(1, 1), (2, 3)]
    assert one == Scalar("1", plain=True, line=1)
    assert items == Items((Scalar("x", plain=True, line=3),), 3)


def test_lines_go_on_counting_over_documents() -> None:
    first, second = compose("a: 1\n---\nb: 2\n")
    assert (first.line, second.line) == (1, 3)


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "---\n---\n...\n"])
def test_empty_documents_are_left_out(text: str) -> None:
    assert list(compose(text)) == []


def test_a_document_that_is_no_yaml_takes_no_other_along() -> None:
    text = "a: 1\n---\nb: [\n---\nc: 3\n--- {\n%YAML 1.1\n---\nd: 4\n"
    found = list(compose_each(text))
    assert [each.line for each in found] == [1, 4, 5, 7, 9]
    assert [isinstance(each, UnreadableError) for each in found] == [False, True, False, True, False]


def test_what_a_text_may_hold_counts_over_its_broken_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_NODES", 10)
    found = list(compose_each("---\n[1, 2, 3, 4, 5, 6\n" * 3))
    assert [type(each) for each in found] == [UnreadableError, OutOfBoundsError]


def test_an_alias_stands_for_its_anchor() -> None:
    [document] = compose("a: &x [1]\nb: *x\n")
    assert isinstance(document, Entries)
    assert document.entries[0][1] is document.entries[1][1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\n", 2),
        ("a: 1\nb: *nowhere\n", 2),
        ("a: !!binary aGk=\n", 1),
        ("{[1]: 2}\n", 1),
        ("a: 1\n\tb: 2\n", 2),
        ("a: \x07\n", 1),
        ("[" * 100_000, 1),
        ("{a: " * 33 + "}" * 33, 1),
    ],
)
def test_what_is_no_yaml_or_too_deep_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(UnreadableError) as caught:
        list(compose(text))
    assert caught.value.line == line


def test_aliases_cannot_multiply_without_bound() -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    text = "\n".join(["a0: &a0 [lol]", *levels])
    with pytest.raises(UnreadableError, match="values"):
        list(compose(text))


def test_a_text_beyond_the_bound_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_BYTES", 10)
    with pytest.raises(UnreadableError, match="at most 10 bytes"):
        list(compose("a: 1234567890"))
