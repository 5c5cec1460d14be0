"""How long certificates will hold, as it is measured."""

from datetime import UTC, datetime, timedelta

from controlplane.authority.expiry import ExpiryCollector, Shown
from controlplane.authority.issue import new_leaf, new_root
from controlplane.authority.rotation import begin
from controlplane.credentials import Credentials
from controlplane.errors import CredentialsError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def fresh() -> Credentials:
    root = new_root("cluster.local", begin(NOW, timedelta(days=9)))
    leaf = new_leaf(root, ["breakwater"], begin(NOW, timedelta(days=7)))
    return Credentials(certificate=leaf.certificate, key=leaf.key, bundle=root.certificate)


def lost() -> Credentials:
    raise CredentialsError("gone")


def test_each_certificate_shows_what_it_has_left_and_one_that_is_lost_nothing() -> None:
    shown = (Shown("server", "own", fresh), Shown("webhook", "given", lost))
    [family] = ExpiryCollector(shown, lambda: NOW + timedelta(days=1)).collect()
    [sample] = family.samples
    assert sample.labels == {"certificate": "server", "issuer": "own"}
    assert sample.value == timedelta(days=6).total_seconds()
