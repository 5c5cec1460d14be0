"""Starts `breakwater-controlplane`, without what only a terminal needs.

structlog loads rich wherever that is installed: 4 MB, and no log of ours has colours.
"""

import sys


def run() -> None:
    """Runs the program."""
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # what Python takes for not installed
    from controlplane.main import run as serve  # noqa: PLC0415  # after that

    serve()


if __name__ == "__main__":
    run()
