"""What a command line gives, and what is said about one that is wrong."""

import pytest

from controlplane.flags import CONFIG, FLAGS, find_answer, parse_flags


def test_values_follow_their_flag_or_its_equals_sign() -> None:
    words = ("--http", "127.0.0.1:1", "--listen=127.0.0.1:2", "--insecure")
    values = {"http": "127.0.0.1:1", "listen": "127.0.0.1:2", "insecure": "true"}
    assert parse_flags(words) == (values, [])


def test_everything_wrong_is_told_together() -> None:
    words = ("--lisen", "x", "--zzz=1", "stray", "--admin", "--store=a", "--store", "b", "-v", "--insecure=")
    _, problems = parse_flags(words)
    assert problems == [
        "--lisen: there is no such flag; did you mean listen?",
        "--zzz: there is no such flag; --help lists what there is",
        "stray: expected a flag; --help lists what there is",
        "--admin: expected HOST:PORT, found nothing",
        "--store: expected once, found a and b",
        "-v: there is no such flag; --help lists what there is",
        "--insecure: expected true or false, found nothing",
    ]


def test_help_tells_every_flag_with_its_default() -> None:
    text = find_answer(["--help"])
    assert text is not None
    assert all(f"\n  --{flag.name}" in text for flag in (*FLAGS, CONFIG))
    assert text.count("(default: ") == len(FLAGS) + 1


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_a_question_about_the_program_is_answered_whatever_else_is_said(word: str) -> None:
    assert find_answer(["--bogus", word])
    assert find_answer(["--bogus"]) is None
