"""What sidecars' connections may take of the descriptors that there are."""

import resource

import pytest

from controlplane.descriptors import CONNECTIONS_MAX, connection_count, raise_limit


@pytest.mark.parametrize(
    ("limit", "connections"),
    [(256, 192), (1_024, 768), (4_096, 3_584), (1 << 20, CONNECTIONS_MAX), (-1, CONNECTIONS_MAX)],
)
def test_enough_is_left_for_everybody_else(
    monkeypatch: pytest.MonkeyPatch, limit: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert connection_count() == connections


def test_as_many_are_had_as_the_system_lets() -> None:
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
