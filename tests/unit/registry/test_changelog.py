"""Which services changed after a revision."""

import pytest

from registry import changelog
from registry.changelog import Changelog
from registry.model import Revision, ServiceName

A, B, C = (ServiceName(namespace="shop", name=name) for name in "abc")


def noted(*changes: tuple[ServiceName, int]) -> Changelog:
    log = Changelog(Revision(10))
    for name, revision in changes:
        log.note([name], Revision(revision))
    return log


def test_each_service_counts_by_its_last_change() -> None:
    log = noted((A, 11), (B, 12), (A, 13))
    found = [log.after(Revision(revision)) for revision in (10, 11, 12, 13, 99)]
    assert found == [{A, B}, {A, B}, {A}, frozenset(), frozenset()]


def test_what_was_before_the_beginning_is_not_known() -> None:
    assert noted((A, 11)).after(Revision(9)) is None


def test_what_is_forgotten_is_not_known_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "NAMES_MAX", 2)
    log = noted((A, 11), (B, 12), (C, 13))
    assert log.after(Revision(10)) is None
    assert log.after(Revision(11)) == frozenset({B, C})
