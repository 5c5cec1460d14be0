"""Families of samples, as Prometheus' own library reads the page of them."""

from math import inf, isnan, nan

import pytest
from prometheus_client.parser import text_string_to_metric_families

from registry.families import Family, FamilyType, encode, gauge


def test_what_was_added_is_read_again() -> None:
    calls = Family(name="calls_total", help="Calls.", type=FamilyType.COUNTER, labels=("to", "by"))
    calls.add(2, ("cart", "anna"))
    calls.add(3.5, ("cart", "bob"))
    [found, up] = text_string_to_metric_families(encode([calls, gauge("up", "Up.", 1)]).decode())
    assert (found.name, found.documentation, found.type) == ("calls", "Calls.", "counter")
    assert [(one.name, one.labels, one.value) for one in found.samples] == [
        ("calls_total", {"to": "cart", "by": "anna"}, 2),
        ("calls_total", {"to": "cart", "by": "bob"}, 3.5),
    ]
    assert [(one.name, one.labels, one.value) for one in up.samples] == [("up", {}, 1)]


def test_a_spread_is_told_up_to_each_bound() -> None:
    spread = Family(name="took_seconds", help="Took.", type=FamilyType.HISTOGRAM, labels=("of",))
    spread.add_spread((0.5, 1.0), (1, 2, 4), 9.25, ("x",))
    [found] = text_string_to_metric_families(encode([spread]).decode())
    assert found.type == "histogram"
    assert [(one.name, one.labels.get("le"), one.value) for one in found.samples] == [
        ("took_seconds_bucket", "0.5", 1),
        ("took_seconds_bucket", "1.0", 3),
        ("took_seconds_bucket", "+Inf", 7),
        ("took_seconds_count", None, 7),
        ("took_seconds_sum", None, 9.25),
    ]


@pytest.mark.parametrize("text", ['a "word"', "two\nlines", "back\\slash", "", "ü"])
def test_any_text_goes_into_a_label_and_into_help(text: str) -> None:
    family = Family(name="seen", help=text, labels=("text",))
    family.add(1, (text,))
    [found] = text_string_to_metric_families(encode([family]).decode())
    assert [one.labels for one in found.samples] == [{"text": text}]
    assert found.documentation == text


@pytest.mark.parametrize("value", [0, -1.5, 1e21, inf, -inf, nan])
def test_any_number_is_a_value(value: float) -> None:
    [found] = text_string_to_metric_families(encode([gauge("seen", "Seen.", value)]).decode())
    [sample] = found.samples
    assert sample.value == value or (isnan(sample.value) and isnan(value))


def test_labels_and_their_texts_are_as_many() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        Family(name="seen", help="Seen.", labels=("a", "b")).add(1, ("x",))
