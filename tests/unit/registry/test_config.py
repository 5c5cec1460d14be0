"""Locations of the store."""

from pathlib import Path

import pytest

from registry.config import EtcdAccess, EtcdLocation, SqliteLocation, parse_location
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


@pytest.mark.parametrize(
    "endpoints", [("localhost:2379",), ("10.0.0.1:1", "10.0.0.2:1"), ("[::1]:2379", "etcd.example.org:65535")]
)
def test_location_of_etcd_is_written_as_it_is_parsed(endpoints: tuple[str, ...]) -> None:
    text = f"etcd://{','.join(endpoints)}"

    assert parse_location(text) == EtcdLocation(endpoints=endpoints)
    assert str(parse_location(text)) == text


@pytest.mark.parametrize(
    ("endpoint", "is_exposed"),
    [
        ("localhost:1", False),
        ("127.0.0.2:1", False),
        ("[::1]:1", False),
        ("10.0.0.1:1", True),
        ("db:1", True),
    ],
)
def test_plain_text_to_another_machine_is_exposed(endpoint: str, *, is_exposed: bool) -> None:
    assert EtcdLocation(endpoints=("localhost:1", endpoint)).is_exposed is is_exposed
    assert not EtcdLocation(endpoints=(endpoint,), access=EtcdAccess(ca=Path("ca.pem"))).is_exposed


@pytest.mark.parametrize(
    "text",
    [
        *("", "sqlite", "sqlite:", "redis://localhost", "etcd:localhost:1", "etcd://", "etcd://localhost"),
        *("etcd://a:1,", "etcd://a:1,b", "etcd://::1:2379", "etcd://a:65536", "etcd://:2379"),
    ],
)
def test_other_locations_are_refused(text: str) -> None:
    with pytest.raises(InvalidLocationError, match="expected sqlite:PATH"):
        parse_location(text)
