"""Roots and certificates over the years, of one control plane and of several."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from controlplane.authority.authority import Authority
from controlplane.authority.directory import DirectoryKeep
from controlplane.authority.issue import decode
from controlplane.errors import AuthorityError
from controlplane.keep import BUNDLE, ROOTS, Keep
from tests.support.keep import Calendar, MemoryKeep

NAMES = ("breakwater.breakwater-system.svc", "127.0.0.1")


def authority(keep: Keep, calendar: Calendar) -> Authority:
    return Authority(keep, NAMES, "cluster.local", calendar)


def roots(bundle: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle)


def verify(certificate: bytes, bundle: bytes, calendar: Calendar) -> None:
    """Do what a client does that trusts `bundle`; raises unless the certificate holds."""
    name = x509.DNSName(NAMES[0])
    builder = PolicyBuilder().store(Store(roots(bundle))).time(calendar.now)
    builder.build_server_verifier(name).verify(x509.load_pem_x509_certificate(certificate), [])


async def test_the_first_root_is_made_kept_and_published() -> None:
    keep, calendar = MemoryKeep(), Calendar()
    one = authority(keep, calendar)
    await one.refresh()
    verify(one.credentials.certificate, keep.published, calendar)
    [root] = roots(keep.published)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "KEY" not in keep.published.decode()


async def test_a_certificate_is_for_servers_of_its_names_alone() -> None:
    one = authority(MemoryKeep(), Calendar())
    await one.refresh()
    leaf = x509.load_pem_x509_certificate(one.credentials.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAMES[0]]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [NAMES[1]]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)


async def test_another_control_plane_takes_up_the_same_root() -> None:
    keep, calendar = MemoryKeep(), Calendar()
    one, other = authority(keep, calendar), authority(keep, calendar)
    await one.refresh()
    await other.refresh()
    assert one.credentials.bundle == other.credentials.bundle
    verify(other.credentials.certificate, one.credentials.bundle, calendar)


async def test_two_that_begin_together_agree_on_one_root() -> None:
    rest, calendar = MemoryKeep(), Calendar()

    class Racing(MemoryKeep):
        async def save(self, text: bytes, version: str) -> bool:
            if not self.changes:
                await authority(rest, calendar).refresh()
                self.text, self.changes = rest.text, 1
            return await super().save(text, version)

    one = authority(Racing(), calendar)
    await one.refresh()
    assert one.credentials.bundle == decode(rest.text)[0].certificate


async def test_for_years_whoever_trusts_last_weeks_roots_trusts_todays_certificate() -> None:
    keep, calendar = MemoryKeep(), Calendar()
    one = authority(keep, calendar)
    await one.refresh()
    seen = set()
    for _ in range(200):
        last, before = keep.published, one.credentials.certificate
        calendar.pass_days(5)
        await one.refresh()
        verify(one.credentials.certificate, last, calendar)
        verify(before, keep.published, calendar)
        assert 1 <= len(roots(keep.published)) <= 2
        seen.update(roots(keep.published))
    assert len(seen) >= 4


@pytest.mark.parametrize("what", ["load", "publish"])
async def test_a_certificate_is_replaced_also_while_nothing_can_be_reached(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, calendar = MemoryKeep(), Calendar()
    one = authority(keep, calendar)
    await one.refresh()

    async def fail(*_: object) -> None:
        raise AuthorityError("out of reach")

    monkeypatch.setattr(keep, what, fail)
    for _ in range(4):
        calendar.pass_days(5)
        with pytest.raises(AuthorityError):
            await one.refresh()
        verify(one.credentials.certificate, keep.published, calendar)


async def test_several_make_one_next_root() -> None:
    keep, calendar = MemoryKeep(), Calendar()
    one, other = authority(keep, calendar), authority(keep, calendar)
    await one.refresh()
    await other.refresh()
    calendar.pass_days(300)
    await one.refresh()
    await other.refresh()
    assert len(roots(one.credentials.bundle)) == 2
    assert other.credentials.bundle == one.credentials.bundle


async def test_files_keep_the_key_for_their_owner_alone(tmp_path: Path) -> None:
    keep = DirectoryKeep(tmp_path / "ca")
    one = authority(keep, Calendar())
    await one.refresh()
    assert (tmp_path / "ca" / ROOTS).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ca" / BUNDLE).read_bytes() == one.credentials.bundle
    again = authority(DirectoryKeep(tmp_path / "ca"), Calendar())
    await again.refresh()
    assert again.credentials.bundle == one.credentials.bundle
    assert not await keep.save(b"other", "of another version")


async def test_what_is_no_authority_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / ROOTS).write_text("-----BEGIN CERTIFICATE-----\nnothing\n")
    with pytest.raises(AuthorityError, match="expected a certificate and its key"):
        await authority(DirectoryKeep(tmp_path), Calendar()).refresh()
