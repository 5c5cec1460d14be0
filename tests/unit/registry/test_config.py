"""Locations of the store."""

from pathlib import Path

import pytest

from registry.config import SqliteLocation, parse_location
from registry.errors import InvalidLocationError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:registry.db", Path("registry.db")),
        ("sqlite:/var/x.db", Path("/var/x.db")),
        ("sqlite::memory:", None),
    ],
)
def test_location_is_written_as_it_is_parsed(text: str, path: Path | None) -> None:
    location = parse_location(text)

    assert location == SqliteLocation(path=path)
    assert str(location) == text


@pytest.mark.parametrize("text", ["", "sqlite", "sqlite:", "redis://localhost"])
def test_other_locations_are_refused(text: str) -> None:
    with pytest.raises(InvalidLocationError, match="expected sqlite:PATH"):
        parse_location(text)
