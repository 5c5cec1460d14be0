"""What a command line gives, and what is said about one that is wrong."""

from __future__ import annotations

import pytest

from sidecar import flags, main


def test_values_follow_their_flag_or_its_equals_sign() -> None:
    words = ("--http", "127.0.0.1:1", "--service=shop/cart", "--service", "shop/basket", "--insecure")
    values = {"http": ["127.0.0.1:1"], "service": ["shop/cart", "shop/basket"], "insecure": ["true"]}
    assert flags.parse(words) == (values, [])


def test_everything_wrong_is_told_together() -> None:
    _, problems = flags.parse(
        ("--outbond", "x", "--zzz=1", "stray", "--http", "--owner=a", "--owner", "b", "-v")
    )
    assert problems == [
        "--outbond: there is no such flag; did you mean outbound?",
        "--zzz: there is no such flag; --help lists what there is",
        "stray: expected a flag; --help lists what there is",
        "--http: expected ADDR:PORT, found nothing",
        "-v: there is no such flag; --help lists what there is",
        "--owner: expected once, found 2 times",
    ]


def test_help_tells_every_flag_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  --{flag.name}" in text for flag in flags.FLAGS)
    assert text.count("(default: ") == len(flags.FLAGS)


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_a_question_about_the_program_is_answered_whatever_else_is_said(word: str) -> None:
    assert main.main([word, "--bogus"]) == 0
