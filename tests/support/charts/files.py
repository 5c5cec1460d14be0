"""The generated files of the chart."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.charts.dashboards import DASHBOARDS
from tests.support.charts.readme import readme
from tests.support.charts.schema import values_schema
from tests.support.charts.values import read_settings
from tests.support.reference import ROOT

CHART: Final = ROOT / "charts" / "breakwater"


def files() -> Mapping[Path, str]:
    """Return the text of each file."""
    settings = read_settings(CHART / "values.yaml")
    folder = CHART / "files" / "dashboards"
    return {
        CHART / "README.md": readme(settings),
        CHART / "values.schema.json": _json(values_schema(settings)),
        **{folder / f"{name}.json": _json(board()) for name, board in DASHBOARDS.items()},
    }


def rewrite() -> None:
    """Write every file."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
