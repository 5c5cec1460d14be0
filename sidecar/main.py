"""`breakwater-sidecar`: reads the settings, then hands the process to the core."""

from __future__ import annotations

import sys

from sidecar import config, flags, proxy
from sidecar.errors import CoreError

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
MISUSED = 2


def main(argv: Sequence[str]) -> int:
    """Return the exit status: 0 after a drain, 1 when the core failed, 2 for bad settings."""
    if "--help" in argv or "-h" in argv:
        sys.stdout.write("\n".join(flags.usage()) + "\n")
        return 0
    if "--version" in argv:
        sys.stdout.write(f"breakwater-sidecar {proxy.VERSION}\n")
        return 0
    if argv and argv[0] == "wait":
        return _wait(argv[1:])
    if argv and argv[0] == "drain":
        return _drain(argv[1:])
    settings = config.read(argv)
    if isinstance(settings, list):
        sys.stderr.writelines(f"breakwater-sidecar: {problem}\n" for problem in settings)
        return MISUSED
    return _serve(settings)


def _wait(argv: Sequence[str]) -> int:
    from sidecar.wait import wait  # noqa: PLC0415  # not loaded by what serves

    problem = wait(argv)
    if problem:
        sys.stderr.write(f"breakwater-sidecar: {problem}\n")
    return FAILED if problem else 0


def _drain(argv: Sequence[str]) -> int:
    from sidecar.drain import drain  # noqa: PLC0415  # not loaded by what serves

    problems = drain(argv)
    sys.stderr.writelines(f"breakwater-sidecar: {problem}\n" for problem in problems)
    return FAILED if problems else 0


def _serve(settings: proxy.Settings) -> int:
    try:
        proxy.run(settings)
    except CoreError as error:
        sys.stderr.write(f"breakwater-sidecar: {error}\n")
        return FAILED
    return 0


def run() -> None:
    """Run the program, and exit with its status."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
