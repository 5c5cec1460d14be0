"""Values and documents as text."""

import pytest

from controlplane.model.text import document_text, field_at, value_text
from controlplane.model.value import Duration, Value
from tests.support.builders import SCHEMA, policy, read


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("timeouts.request", Duration(90_000_000_000), "1m30s"),
        ("retry.replayBytes", 65536, "64Ki"),
        ("retry.attempts", 2, "2"),
        ("retry.honorRetryAfter", True, "true"),
        ("retry.when", ("Reset", "503", "5xx"), "[Reset, '503', 5xx]"),
        ("retry.strategy", "FullJitter", "FullJitter"),
        ("retry.budget.percent", 12.5, "12.5"),
    ],
)
def test_a_value_is_written_as_a_person_would(path: str, value: Value, text: str) -> None:
    assert value_text(value, field_at(SCHEMA.blocks["Resilience"], path)) == text


@pytest.mark.parametrize(
    "value", ["yes", "on", "n", "503", "1e5", "0x1f", "null", "~", "a: b", "- a", "", "1_000"]
)
def test_a_string_that_yaml_reads_otherwise_is_quoted(value: str) -> None:
    document = policy(
        f"limits: [{{name: a, requests: 1, per: 1s, match: [{{headers: [{{name: x, value: '{value}'}}]}}]}}]",
        kind="RateLimitPolicy",
    )
    again = read(document_text(document, SCHEMA))
    assert again.problems == ()
    assert again.documents == (document,)
