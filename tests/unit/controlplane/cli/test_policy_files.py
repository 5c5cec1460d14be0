"""Files that a command is given."""

from pathlib import Path

import pytest

from controlplane.cli.errors import FindingError, UsageError
from controlplane.cli.policy import files, manifests


def test_of_a_directory_what_a_source_reads_is_read(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", ".hidden.yaml", "notes.txt"):
        (tmp_path / name).write_text("# nothing")
    (tmp_path / "folder.yaml").mkdir()
    assert [Path(file).name for file, _ in files([str(tmp_path)])] == ["a.yaml", "b.yml"]


def test_every_file_that_is_no_utf_8_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(b"# \xff")
    with pytest.raises(FindingError):
        manifests([str(tmp_path)])
    assert capsys.readouterr().err.count("expected UTF-8, found the byte 0xff (BW0001)") == 2


def test_more_than_one_request_holds_is_a_matter_of_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.cli.policy._MOST_BYTES", 10)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("# fine")
    with pytest.raises(UsageError, match="name fewer files with -f"):
        manifests([str(tmp_path)])


def test_what_is_not_there_is_a_matter_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a file or a directory with -f"):
        manifests([str(tmp_path / "nothing.yaml")])
    with pytest.raises(UsageError, match="name a file with -f FILE"):
        manifests([str(tmp_path)])
