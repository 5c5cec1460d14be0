"""The version that the program tells is that of the distribution."""

import tomllib
from pathlib import Path

from controlplane.version import program_version

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_version_is_the_one_that_is_published() -> None:
    assert program_version() == tomllib.loads(PROJECT.read_text())["project"]["version"]
