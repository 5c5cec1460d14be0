"""Settings of the sidecar: flags win, then the environment, then the file.

This module says where values come from; what they mean is read by the core. It is written without `argparse`,
`dataclasses` and `typing`, which would cost a quarter of the process's memory.
"""

from __future__ import annotations

import os

from sidecar import proxy

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PREFIX = "BREAKWATER_"


class Flag:
    """One setting: its name without dashes, what its value looks like, and what it says."""

    __slots__ = ("default", "help", "name", "repeats", "value")

    def __init__(self, name: str, value: str, text: str, *, default: str = "", repeats: bool = False) -> None:
        self.name = name
        self.value = value
        self.help = text
        self.default = default
        self.repeats = repeats

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return PREFIX + self.name.upper().replace("-", "_")


FLAGS = (
    Flag(
        "service",
        "NAMESPACE/NAME[:PORT]",
        "service of this workload and the port it is called at",
        repeats=True,
    ),
    Flag("instance", "ID", "name of this sidecar in the mesh (host name and --inbound port)"),
    Flag("controlplane", "HOST:PORT[,HOST:PORT...]", "control planes, any one of which will do"),
    Flag("insecure", "", "allow plain text to a control plane off this machine"),
    Flag(
        "app",
        "[NAME=]ADDR:PORT[@LISTEN]",
        "the application; each further port has a LISTEN of its own",
        repeats=True,
    ),
    Flag("inbound", "ADDR:PORT", "where others reach the application", default="0.0.0.0:15006"),
    Flag("advertise", "HOST", "address that is registered (the one that reaches the control plane)"),
    Flag("outbound", "ADDR:PORT", "where the application sends its calls", default="127.0.0.1:15001"),
    Flag("upstream", "LISTEN=NAMESPACE/NAME:PORT", "a port of its own for one service", repeats=True),
    Flag("capture", "explicit", "how traffic gets here", default="explicit"),
    Flag("admin", "unix:PATH", "socket of SidecarAdminService (admin.sock in the state directory)"),
    Flag("http", "ADDR:PORT", "/metrics, /ready and /live", default="127.0.0.1:15090"),
    Flag("state-dir", "DIR", "last good configuration (breakwater/ID in the user's state directory)"),
    Flag("workers", "1", "event loops that forward traffic", default="1"),
    Flag("owner", "TEXT", "contract: team or person in charge"),
    Flag("contract-version", "TEXT", "contract: version of the service"),
    Flag("idempotent", "METHOD", "contract: a method that may be repeated", repeats=True),
    Flag("documentation", "URL", "contract: where it is documented"),
    Flag("config", "FILE", "TOML with these flags as keys"),
)
BY_NAME = {flag.name: flag for flag in FLAGS}


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
    found: dict[str, list[str]] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        flag = BY_NAME.get(name) if word.startswith("--") else None
        if flag is None:
            given.problems.append(f"{word}: there is no such flag; --help lists them")
        elif not flag.value:
            found[name] = [value if equals else "true"]
        elif equals or (value := next(words, "")):
            found.setdefault(name, []).append(value)
        else:
            given.problems.append(f"--{name}: expected {flag.value}, found nothing")
    for name, values in found.items():
        if len(values) > 1 and not BY_NAME[name].repeats:
            given.problems.append(f"--{name}: expected once, found {len(values)} times")
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
            given.problems.append(f"{path}: there is no setting {key}")
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


def usage() -> Iterator[str]:
    """Yield the lines of `--help`."""
    yield "Usage: breakwater-sidecar --service NAMESPACE/NAME --app ADDR:PORT [flags]"
    yield ""
    yield f"Every flag is also {PREFIX}<FLAG> in the environment and a key in --config FILE; flags win."
    yield ""
    for flag in FLAGS:
        notes = ("; repeatable" if flag.repeats else "") + (
            f" (default {flag.default})" if flag.default else ""
        )
        yield f"  --{flag.name} {flag.value}".rstrip()
        yield f"        {flag.help}{notes}"
