"""Flags of breakwater-capture, and what it needs of the interpreter."""

import subprocess
import sys

import pytest

from sidecar.capture import apply, main
from sidecar.capture.rules import Settings
from tests.support.reference import ROOT

LACKING = {"_core", "asyncio", "dataclasses", "json", "multiprocessing", "shutil", "tomllib"}
"""What Debian's python3-minimal does not have, as far as one might take it."""


def installed(monkeypatch: pytest.MonkeyPatch, *argv: str) -> Settings:
    """Return what is put in place for these flags."""
    found: list[Settings] = []

    def install(settings: Settings) -> str:
        found.append(settings)
        return "nftables"

    monkeypatch.setattr(apply, "install", install)
    assert main.main(argv) == 0
    [settings] = found
    return settings


def test_flags_are_what_the_injector_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = installed(
        monkeypatch,
        *("--inbound-port=15006", "--outbound-port=15001", "--exclude-user=10002"),
        *("--exclude-inbound-ports=15090,9100", "--exclude-outbound-ports=5432"),
        "--exclude-outbound-cidrs=10.9.0.1/16,fd00::1",
    )
    assert settings == Settings(
        inbound_port=15006,
        outbound_port=15001,
        user=10002,
        exclude_inbound_ports=(9100, 15090),
        exclude_outbound_ports=(5432,),
        exclude_outbound_cidrs=("10.9.0.0/16", "fd00::1/128"),
    )


def test_nothing_is_excluded_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed(monkeypatch) == Settings(inbound_port=15006, outbound_port=15001, user=15001)


@pytest.mark.parametrize(
    "flag",
    [
        "--inbound-port=0",
        "--exclude-user=a",
        "--exclude-inbound-ports=",
        "--exclude-outbound-cidrs=x",
        "--exclude-outbound-cidrs=fe80::1%1 }\nflush ruleset",
        "--in=1",
    ],
)
def test_flags_that_say_nothing_of_the_kind_are_a_misuse(flag: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main([flag])
    assert caught.value.code == 2


def test_without_programs_that_change_rules_each_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main.main([]) == 1
    told = capsys.readouterr().err
    assert "nft: No such file or directory; iptables" in told


def test_it_runs_on_a_bare_interpreter() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import sidecar.capture.main; print(*sys.modules)"
    command = (sys.executable, "-I", "-S", "-c", code)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert not imported & LACKING
