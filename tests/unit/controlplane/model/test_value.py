"""Durations, sizes and paths."""

import pytest

from controlplane.model.value import Duration, find, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("250ms", 250_000_000),
        ("1m30s", 90_000_000_000),
        ("1h2m3s4ms", 3_723_004_000_000),
        ("90s", 90_000_000_000),
    ],
)
def test_durations_are_read_as_gep_2257_writes_them(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == Duration(nanoseconds)


@pytest.mark.parametrize(
    "text", ["", "5", "1.5s", "-1s", "1us", "1d", "100000s", "1s2s3s4s5s", "1 s", "\u0661s"]
)
def test_what_gep_2257_does_not_allow_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


def test_a_duration_is_written_in_the_largest_units() -> None:
    assert str(Duration(90_000_000_000)) == "1m30s"
    assert str(Duration(0)) == "0s"


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("65536", 65536), ("64Ki", 65536), ("1Mi", 1 << 20)])
def test_sizes_are_bytes_or_binary_multiples(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["64k", "64KB", "-1", "1.5Ki", ""])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


def test_a_size_is_written_in_the_largest_exact_unit() -> None:
    assert size_text(65536) == "64Ki"
    assert size_text(65537) == "65537"
    assert size_text(0) == "0"


def test_a_path_finds_what_is_there_and_nothing_else() -> None:
    tree = {"timeouts": {"perTry": Duration(1)}}
    assert find(tree, "timeouts.perTry") == Duration(1)
    assert find(tree, "timeouts.request") is None
    assert find(tree, "timeouts.perTry.deeper") is None
