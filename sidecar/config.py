"""Settings of the sidecar: flags win, then the environment, then the file.

This module says where values come from; what they mean is read by the core. It is written without `argparse`,
`dataclasses` and `typing`, which would cost a quarter of the process's memory.
"""

from __future__ import annotations

import os

from sidecar import proxy
from sidecar.flags import BY_NAME, FLAGS, parse, suggestion

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sidecar.flags import Flag


class Given:
    """Values by flag, where each came from, and what was wrong with the giving."""

    __slots__ = ("origins", "problems", "values")

    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []

    def take(self, flag: Flag, values: list[str], origin: str) -> None:
        """Keep `values` unless a stronger origin gave some already."""
        if flag.name not in self.values:
            self.values[flag.name] = values
            self.origins[flag.name] = origin


def read(argv: Sequence[str], environment: Mapping[str, str] = os.environ) -> proxy.Settings | list[str]:
    """Return the settings, or every problem there is with them, in words."""
    given = gather(argv, environment)
    settings = proxy.parse_settings(given.values)
    if isinstance(settings, list):
        return given.problems + [f"{given.origins.get(flag, '--' + flag)}: {text}" for flag, text in settings]
    return given.problems or settings


def gather(argv: Sequence[str], environment: Mapping[str, str]) -> Given:
    """Return what flags, environment, file and defaults say, the stronger first."""
    given = Given()
    _take_flags(given, argv)
    _take_environment(given, environment)
    for path in given.values.pop("config", ()):
        _take_file(given, path)
    _take_defaults(given, environment)
    return given


def _take_flags(given: Given, argv: Sequence[str]) -> None:
    found, given.problems = parse(argv)
    for name, values in found.items():
        given.take(BY_NAME[name], values, f"--{name}")


def _take_environment(given: Given, environment: Mapping[str, str]) -> None:
    for flag in FLAGS:
        value = environment.get(flag.variable)
        if value:
            given.take(flag, value.split(",") if flag.repeats else [value], flag.variable)


def _take_file(given: Given, path: str) -> None:
    import tomllib  # noqa: PLC0415  # costs memory that most sidecars need not spend

    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib costs memory too
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        given.problems.append(f"--config: {path}: {error}")
        return
    for key, value in table.items():
        flag = BY_NAME.get(key)
        values = [_text(item) for item in (value if isinstance(value, list) else [value])]
        if flag is None or flag.name == "config":
            given.problems.append(f"{path}: there is no setting {key}; {suggestion(key)}")
        elif "" in values or (len(values) != 1 and not flag.repeats):
            given.problems.append(f"{path}: {key}: expected {flag.value or 'true or false'}, found {value!r}")
        else:
            given.take(flag, values, f"{path}: {key}")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int)) else ""


def _take_defaults(given: Given, environment: Mapping[str, str]) -> None:
    for flag in FLAGS:
        if flag.default:
            given.take(flag, [flag.default], "default")
    computed: tuple[tuple[str, Callable[[], str]], ...] = (
        ("instance", lambda: f"{os.uname().nodename}-{given.values['inbound'][0].rpartition(':')[2]}"),
        ("state-dir", lambda: f"{_state_home(environment)}/breakwater/{given.values['instance'][0]}"),
        ("admin", lambda: f"unix:{given.values['state-dir'][0]}/admin.sock"),
    )
    for name, default in computed:  # each may need the one before
        given.take(BY_NAME[name], [default()], "default")


def _state_home(environment: Mapping[str, str]) -> str:
    """Return where a user's programs keep state (XDG base directories)."""
    return environment.get("XDG_STATE_HOME") or environment.get("HOME", "/var") + "/.local/state"
