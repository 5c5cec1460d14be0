"""The corpus is read as its README describes."""

import pytest

from tests.support.corpus import parse_case, read_cases, unescape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"GET\r\n\t\\r", b"GET\r\n\t\\r"),
        (r"caf\xc3\xa9\x00", b"caf\xc3\xa9\x00"),
        (r"\{3*a\r\n}b", b"a\r\na\r\na\r\nb"),
    ],
)
def test_escapes_stand_for_bytes(text: str, expected: bytes) -> None:
    assert unescape(text) == expected


def test_an_outcome_that_the_readme_does_not_describe_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an outcome"):
        parse_case(["case: odd", "row: odd", "bytes: GET", "expect: explode"])


@pytest.mark.parametrize("file", ["requests.txt", "responses.txt"])
def test_every_case_of_the_corpus_is_read_and_named_apart(file: str) -> None:
    cases = read_cases(file)
    assert len(cases) > 50
    assert len({case.name for case in cases}) == len(cases)


def test_each_kind_of_outcome_is_told_apart() -> None:
    cases = {case.name: case for case in read_cases("requests.txt")}
    assert (cases["pipelined"].accepted, cases["pipelined"].status) == (3, None)
    assert (cases["length_then_encoding"].status, cases["length_then_encoding"].is_in_body) == (400, False)
    assert (cases["chunk_size_plus"].status, cases["chunk_size_plus"].is_in_body) == (400, True)
    assert (cases["cut_in_head"].accepted, cases["cut_in_head"].status) == (0, None)
    assert cases["chunked"].body == b"hello world"
