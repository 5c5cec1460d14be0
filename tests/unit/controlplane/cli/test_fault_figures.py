"""Rehearsals as people read them."""

from typing import Any

import pytest

from controlplane.cli import fault_figures

RULES: dict[str, Any] = {
    "policy": {"kind": "FaultPolicy", "namespace": "shop", "name": "drill"},
    "percent": 5,
    "abort": {"status": 503},
    "until": "2026-11-26T12:00:00Z",
    "isShadow": False,
}


@pytest.mark.parametrize(
    ("merge", "told"),
    [
        ("POLICY_MERGE_UNSPECIFIED", ""),
        ("POLICY_MERGE_PATCH_DEFAULTS", ""),
        ("POLICY_MERGE_ATOMIC_OVERRIDES", ", merge AtomicOverrides"),
    ],
)
def test_what_a_rehearsal_does_is_told_with_how_it_combines(merge: str, told: str) -> None:
    _, figure, stated = fault_figures.row({**RULES, "merge": merge})
    assert figure == f"5 %: abort 503, until 2026-11-26T12:00:00Z{told}"
    assert stated == "FaultPolicy shop/drill"
