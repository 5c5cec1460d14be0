"""Listings in each form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from controlplane.cli.output import Format, Listing, show

if TYPE_CHECKING:
    import pytest

LISTING = Listing(
    kind="Sidecar",
    items=[{"instance": "cart-0"}],
    columns=("NAME", "STATE"),
    rows=[["cart-0", "SYNCED"]],
    wide_columns=("MEMORY",),
    wide_rows=[["12 MiB"]],
    empty="no sidecar",
)


def test_json_carries_the_api_version_and_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    show(LISTING, Format.JSON)
    assert json.loads(capsys.readouterr().out) == {
        "apiVersion": "breakwater.dev/v1alpha1",
        "kind": "SidecarList",
        "items": [{"instance": "cart-0"}],
    }


def test_table_has_upper_case_headings_and_no_wide_column(capsys: pytest.CaptureFixture[str]) -> None:
    show(LISTING, Format.TABLE)
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["NAME", "STATE"]
    assert row.split() == ["cart-0", "SYNCED"]


def test_wide_adds_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show(LISTING, Format.WIDE)
    assert capsys.readouterr().out.splitlines()[0].split() == ["NAME", "STATE", "MEMORY"]


def test_empty_listing_says_so_on_standard_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show(Listing(kind="Sidecar", items=[], columns=("NAME",), rows=[], empty="no sidecar"), Format.TABLE)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no sidecar\n")
