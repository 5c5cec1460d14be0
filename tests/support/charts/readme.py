"""The page of the chart: what there is to set."""

import json
from collections.abc import Iterable

from tests.support.charts.values import Setting

_HEAD = """\
# Breakwater

The control plane of a resilience mesh, what puts sidecars into pods, and the kinds of its policies.

```sh
helm install breakwater charts/breakwater --namespace breakwater-system --create-namespace
```

`values-ha.yaml` is for production, `values-dev.yaml` for a cluster on a laptop. How to upgrade and to
uninstall, and what to look at when something is wrong, is in [docs/kubernetes.md](../../docs/kubernetes.md).

## Values

This table is generated from the comments in `values.yaml` by `make chart`.

| Value | Default | Meaning |
|---|---|---|
"""


def readme(settings: Iterable[Setting]) -> str:
    """Return the page."""
    return _HEAD + "".join(_line(setting) for setting in settings)


def _line(setting: Setting) -> str:
    words = f" One of {setting.hints['enum']}." if "enum" in setting.hints else ""
    cells = (f"`{setting.name}`", f"`{json.dumps(setting.default)}`", setting.text + words)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"
