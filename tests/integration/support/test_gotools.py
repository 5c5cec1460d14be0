"""Whoever lacks the compiler that the tests' programs need reads what to install."""

from pathlib import Path

import pytest

from tests.support import gotools
from tests.support.gotools import ETCD, GoToolsError, built

NEEDED = "these tests need Go 1.25 or newer to build etcd"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a folder that is all of PATH."""
    monkeypatch.setenv("BREAKWATER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_machine_without_go_is_told_to_install_it(folder: Path) -> None:
    with pytest.raises(GoToolsError, match=rf"^{NEEDED}; install it"):
        built(ETCD)
    assert not any((folder / "cache" / "tools").glob("*.draft"))


@pytest.mark.usefixtures("folder")
def test_an_old_go_is_told_from_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/bin/go")
    monkeypatch.setattr(gotools, "_go", lambda *_: "go1.19.8\n")
    with pytest.raises(GoToolsError, match=rf"^{NEEDED}; found go1\.19\.8$"):
        built(ETCD)
