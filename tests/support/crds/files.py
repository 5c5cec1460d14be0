"""The definitions as templates of their chart, a file for each kind, and the names for the other chart."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from controlplane.model.schema import Kind
from controlplane.sources.codec import load_schema
from tests.support.crds.definition import definition
from tests.support.reference import ROOT, Comments, read_comments

FOLDER: Final = ROOT / "charts" / "breakwater-crds" / "templates"
NAMES: Final = ROOT / "charts" / "breakwater" / "templates" / "_kinds.tpl"
_WIDTH: Final = 110
_HEAD: Final = "# Generated from the contract in proto/mesh/v1 by `make chart`.\n"
_META: Final = """\
  annotations: {{- include "breakwater-crds.annotations" . | nindent 4 }}
  labels: {{- include "breakwater-crds.labels" . | nindent 4 }}
"""


def files() -> Mapping[Path, str]:
    """Return the text of each file."""
    comments = read_comments()
    kinds = tuple(kind for kind in load_schema().kinds.values() if kind.is_ours)
    definitions = {FOLDER / _file_name(kind): template(kind, comments) for kind in kinds}
    return {**definitions, NAMES: _names(kinds)}


def rewrite() -> None:
    """Write every file, and remove those of kinds that are no more."""
    wanted = files()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in set(FOLDER.glob("*.yaml")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


def template(kind: Kind, comments: Comments) -> str:
    """Return the definition of a kind as a template of the chart."""
    content = definition(kind, comments)
    labels = content["metadata"].pop("labels")
    text = yaml.dump(content, sort_keys=False, width=_WIDTH, allow_unicode=True)
    head, name, spec = text.partition(f"  name: {content['metadata']['name']}\n")
    ours = "".join(f"    {key}: {value}\n" for key, value in labels.items())
    return f"{_HEAD}{head}{name}{_META}{ours}{spec}"


def _names(kinds: Sequence[Kind]) -> str:
    plurals = sorted(kind.plural for kind in kinds)
    statuses = [f"{name}/status" for name in plurals]
    parts = (("kinds", plurals), ("kindStatuses", statuses))
    defined = (
        f'{{{{- define "breakwater.{name}" -}}}}\n{", ".join(of)}\n{{{{- end }}}}\n' for name, of in parts
    )
    return "{{/* Generated from the contract in proto/mesh/v1 by `make chart`. */}}\n" + "".join(defined)


def _file_name(kind: Kind) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.name.removesuffix("Policy")).lower() + ".yaml"
