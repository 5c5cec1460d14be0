"""Figures as people read them."""

from __future__ import annotations

import pytest

from controlplane.cli import figures
from controlplane.cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [(None, "-"), ("0.2s", "0s"), ("2s", "2s"), ("190.5s", "3m10s"), ("18120s", "5h2m"), ("90061s", "1d1h")],
)
def test_age_shows_at_most_two_units(text: str | None, shown: str) -> None:
    assert figures.age(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [(None, "-"), ("0.0032s", "3.2ms"), ("0.25s", "250ms"), ("1.5s", "1.50s")]
)
def test_latency_picks_the_unit_that_reads_best(text: str | None, shown: str) -> None:
    assert figures.latency(text) == shown


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("1m30s", 90.0), ("2h", 7200.0)])
def test_duration_is_read_as_gep_2257_says(text: str, seconds: float) -> None:
    assert figures.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "1.5s", "s", "10s-", "abc"])
def test_malformed_duration_names_what_was_expected(text: str) -> None:
    with pytest.raises(UsageError, match="expected a duration such as"):
        figures.parse_duration(text)


def test_service_takes_the_default_namespace_only_without_one() -> None:
    assert figures.parse_service("cart", "shop") == {"namespace": "shop", "name": "cart"}
    assert figures.parse_service("service/pay/cart", "shop") == {"namespace": "pay", "name": "cart"}


def test_policy_of_a_kind_without_namespace_has_no_slash() -> None:
    assert figures.policy({"kind": "Mesh", "namespace": "", "name": "default"}) == "Mesh default"
    assert (
        figures.policy({"kind": "ResiliencePolicy", "namespace": "shop", "name": "cart"})
        == "ResiliencePolicy shop/cart"
    )
    assert figures.policy(None) == "-"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3600s", "1h"), ("3661s", "1h1m1s"), ("0.500s", "500ms"), ("1.500s", "1500ms"), (None, "-")],
)
def test_span_is_written_as_in_policies(text: str | None, expected: str) -> None:
    assert figures.span(text) == expected


def test_one_thing_is_no_plural() -> None:
    assert [figures.count(number, "problem") for number in (0, 1, 2)] == [
        "0 problems",
        "1 problem",
        "2 problems",
    ]
