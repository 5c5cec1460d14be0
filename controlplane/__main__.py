"""Starts `breakwater-controlplane`, without what only others need.

structlog loads rich wherever that is installed: 4 MB, and no log of ours has colours. asyncio and hashlib
load OpenSSL wherever Python has it: 5 MB, for connections to the API server of a cluster and to a collector
alone. gRPC and the core bring what encrypts ours, and Python has its own SHA-256: 3 microseconds a kilobyte
instead of one.
"""

import os
import sys
from collections.abc import Iterable, Iterator

from controlplane.config import Settings, read_settings
from controlplane.errors import SettingsError
from controlplane.flags import find_answer

EXIT_USAGE = 2
EXIT_FAILURE = 1


def run() -> None:
    """Runs the program; exits 2 when its settings have problems, 1 when it cannot run."""
    if answer := find_answer(sys.argv[1:]):
        sys.stdout.write(f"{answer}\n")
        sys.exit(0)
    try:
        settings = read_settings(sys.argv[1:], os.environ)
    except SettingsError as error:
        sys.exit(_complain(error.problems, EXIT_USAGE))
    for name in _unused(settings):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # what Python takes for not installed
    from controlplane.main import run as serve  # noqa: PLC0415  # after that

    failures = serve(settings)
    sys.exit(_complain(failures, EXIT_FAILURE) if failures else 0)


def _unused(settings: Settings) -> Iterator[str]:
    """The modules that others load when they find them, for nothing."""
    yield "rich"
    if settings.kubernetes is None and not settings.otlp_endpoint:
        yield from ("ssl", "_hashlib")


def _complain(problems: Iterable[str], code: int) -> int:
    for problem in problems:
        print(f"breakwater-controlplane: {problem}", file=sys.stderr)  # noqa: T201 (for people)
    return code


if __name__ == "__main__":
    run()
