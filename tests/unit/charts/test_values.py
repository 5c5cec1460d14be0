"""The values of the chart: all are explained, typed, and listed on its page."""

from typing import Any

import yaml

from tests.support.charts import CHART, files
from tests.support.charts.values import read_settings

SETTINGS = read_settings(CHART / "values.yaml")


def test_the_generated_files_are_current() -> None:
    stale = [path.name for path, text in files().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `python -m tests.support.charts`"


def test_every_value_is_explained() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    explained = {setting.path for setting in SETTINGS}
    assert [path for path in leaves(defaults, (), explained) if path not in explained] == []
    assert [setting.name for setting in SETTINGS if not setting.text.endswith(".")] == []


def leaves(value: Any, path: tuple[str, ...], whole: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The paths of all values; a map that is explained as a whole is one."""
    if path in whole or not isinstance(value, dict) or not value:
        return [path]
    return [leaf for name, member in value.items() for leaf in leaves(member, (*path, name), whole)]
