"""The stores that contracts are checked on."""

from pathlib import Path

import pytest

from tests.support.etcd import Member
from tests.support.stores import KINDS, Opener, StoreKind, Time, opener


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> StoreKind:
    """Each implementation in turn, unless a test wants `only` some."""
    chosen: StoreKind = request.param
    return chosen


@pytest.fixture
def etcd_of_kind(kind: StoreKind, request: pytest.FixtureRequest) -> Member | None:
    """The member behind the store, if it is one of etcd."""
    return None if kind.is_embedded else request.getfixturevalue("etcd")


@pytest.fixture
def open_store(kind: StoreKind, etcd_of_kind: Member | None, tmp_path: Path) -> Opener:
    """Opens the store, as often as a test likes."""
    etcd = etcd_of_kind.location if etcd_of_kind else ""
    return opener(kind.location.replace("FOLDER", str(tmp_path)).replace("ETCD", etcd))


@pytest.fixture
def clock(kind: StoreKind) -> Time:
    """The time that leases of the store go by."""
    return kind.time()
