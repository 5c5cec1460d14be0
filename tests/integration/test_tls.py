"""Sidecars and people reach the control plane over TLS: with its own authority, or a given certificate."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.cli import access
from controlplane.cli.client import AdminClient
from controlplane.cli.errors import RefusedError, UnreachableError, UsageError
from tests.support.mesh import SIDECAR, ControlPlane, controlplane, sidecar
from tests.support.pki import Authority, Leaf
from tests.support.process import Process
from tests.support.readiness import that, until

TOKEN = "of-the-administrator"  # noqa: S105 (it opens a server on loopback that lives as long as a test)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "admin-token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: Path) -> None:
    """The command line trusts the authority of this test, and shows its token."""
    monkeypatch.setenv(access.CA, str(tmp_path / "ca" / "ca.crt"))
    monkeypatch.setenv(access.TOKEN_FILE, str(token))


@asynccontextmanager
async def own_authority(tmp_path: Path, policies: Path, token: Path) -> AsyncIterator[ControlPlane]:
    flags = ("--ca-dir", str(tmp_path / "ca"), "--admin-token-file", str(token))
    async with controlplane(tmp_path, policies, flags=flags) as plane:
        yield plane


async def connected(plane: ControlPlane) -> list[str]:
    answer = await plane.ask("ListSidecars")
    return [one["instance"] for one in answer["sidecars"] if one["state"] != "SIDECAR_STATE_OFFLINE"]


@pytest.mark.usefixtures("admitted")
async def test_a_sidecar_connects_to_whom_its_authority_vouches_for(
    tmp_path: Path, policies: Path, token: Path
) -> None:
    trusting = ("--controlplane-ca", str(tmp_path / "ca" / "ca.crt"))
    async with (
        own_authority(tmp_path, policies, token) as plane,
        sidecar(tmp_path, "test/cart", app_port=1, discovery=plane.discovery, flags=trusting) as cart,
    ):
        await cart.ready()
        assert await connected(plane) == ["test-cart"]


@pytest.mark.usefixtures("admitted")
@pytest.mark.parametrize("flags", [(), ("other",)], ids=["in plain text", "with another authority"])
async def test_a_sidecar_that_does_not_trust_it_gets_nothing(
    tmp_path: Path, policies: Path, token: Path, flags: Sequence[str]
) -> None:
    other = Authority(tmp_path / "other").certificate
    words = ("--controlplane-ca", str(other)) if flags else ()
    async with (
        own_authority(tmp_path, policies, token) as plane,
        sidecar(tmp_path, "test/cart", app_port=1, discovery=plane.discovery, flags=words) as cart,
    ):
        await until(that(lambda: "control plane not connected" in cart.process.output()))
        assert await connected(plane) == []
        assert cart.process.is_running


async def test_a_sidecar_refuses_to_start_without_knowing_whom_to_trust(tmp_path: Path) -> None:
    words = ("--service", "test/cart", "--controlplane", "breakwater.example:15010")
    async with Process((sys.executable, *SIDECAR, *words), log=tmp_path / "log") as process:
        assert await process.wait() == 2
        assert "--controlplane-ca FILE" in process.output()


def write(file: Path, token: str) -> None:
    file.write_text(token)


async def test_people_must_show_the_token(
    tmp_path: Path, policies: Path, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.CA, str(tmp_path / "ca" / "ca.crt"))
    async with own_authority(tmp_path, policies, token) as plane:
        with pytest.raises(RefusedError) as nothing:
            await plane.ask("GetStatus")
        wrong = tmp_path / "wrong"
        write(wrong, "guessed")
        monkeypatch.setenv(access.TOKEN_FILE, str(wrong))
        with pytest.raises(RefusedError) as guessed:
            await plane.ask("GetStatus")
        assert str(nothing.value) == str(guessed.value)
        assert nothing.value.code == guessed.value.code == "UNAUTHENTICATED"
        write(wrong, TOKEN)
        assert await plane.ask("GetStatus")
        write(token, "another")
        with pytest.raises(RefusedError):
            await plane.ask("GetStatus")
        monkeypatch.delenv(access.CA)
        with pytest.raises(UnreachableError):
            await asyncio.to_thread(_ask_in_plain_text, plane)


async def test_people_may_show_a_certificate_instead(
    tmp_path: Path, policies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, strangers = Authority(tmp_path / "people"), Authority(tmp_path / "strangers")
    flags = ("--ca-dir", str(tmp_path / "ca"), "--admin-client-ca", str(people.certificate))
    async with controlplane(tmp_path, policies, flags=flags) as plane:
        monkeypatch.setenv(access.CA, str(tmp_path / "ca" / "ca.crt"))
        with pytest.raises(UnreachableError):
            await plane.ask("GetStatus")
        for authority, is_admitted in ((strangers, False), (people, True)):
            leaf = authority.leaf("anna")
            monkeypatch.setenv(access.CERTIFICATE, str(leaf.certificate))
            monkeypatch.setenv(access.KEY, str(leaf.key))
            if is_admitted:
                assert await plane.ask("GetStatus")
            else:
                with pytest.raises(UnreachableError):
                    await plane.ask("GetStatus")
        monkeypatch.delenv(access.KEY)
        with pytest.raises(UsageError):
            await plane.ask("GetStatus")


def _ask_in_plain_text(plane: ControlPlane) -> None:
    with AdminClient(f"127.0.0.1:{plane.admin}", timeout_seconds=30) as client:
        client.call("GetStatus")


async def test_a_certificate_that_is_replaced_is_soon_shown_to_whoever_connects(
    tmp_path: Path, policies: Path
) -> None:
    authority = Authority(tmp_path / "pki")
    leaf = authority.leaf("localhost")
    flags = ("--tls-cert", str(leaf.certificate), "--tls-key", str(leaf.key))
    async with controlplane(tmp_path, policies, flags=flags) as plane:
        before = await _shown(plane.discovery, authority)
        assert before == _certificate(leaf)
        replaced = authority.leaf("localhost")
        os.utime(replaced.certificate)
        assert _certificate(replaced) != before

        async def is_shown() -> bool:
            return await _shown(plane.discovery, authority) == _certificate(replaced)

        await until(is_shown)


async def _shown(port: int, authority: Authority) -> str:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(shown)


def _certificate(leaf: Leaf) -> str:
    return leaf.certificate.read_text()
