"""What the chart renders, kept for review: whole for its default values, and what each overlay changes of it.

Kinds are left out, which have a chart and tests of their own, and so is what is drawn anew each time.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.charts.render import CHART, VALUES, Object, rendered
from tests.support.reference import ROOT

FOLDER: Final = ROOT / "tests" / "testdata" / "charts"
DEFAULT: Final = CHART / "values.yaml"
_DRAWN: Final = "(drawn)"


async def files() -> Mapping[Path, str]:
    """Return the text of each file."""
    texts = {values: await _text(values) for values in VALUES}
    default = texts.pop(DEFAULT)
    changes = {FOLDER / f"{values.stem}.diff": _changes(default, text) for values, text in texts.items()}
    return {FOLDER / "values.yaml": default, **changes}


async def rewrite() -> None:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in (await files()).items():
        path.write_text(text, encoding="utf-8")


async def _text(values: Path) -> str:
    objects = [_masked(each) for each in await rendered(CHART, f"--values={values}")]
    kept = [each for each in objects if each["kind"] != "CustomResourceDefinition"]
    kept.sort(key=lambda each: (each["kind"], each["metadata"]["name"]))
    return yaml.safe_dump_all(kept, sort_keys=False, width=110)


def _masked(found: Object) -> Mapping[str, Any]:
    """The object without secrets, which Helm draws when it renders without a cluster."""
    if found["kind"] != "Secret":
        return found
    return {**found, "data": dict.fromkeys(found["data"], _DRAWN)}


def _changes(default: str, text: str) -> str:
    lines = difflib.unified_diff(default.splitlines(), text.splitlines(), lineterm="", n=2)
    return "".join(f"{line}\n" for line in lines)
