"""Flags of the sidecar: what there is, what a command line gives, and what `--help` says.

Written without `argparse`, `dataclasses` and `typing`, which would cost a quarter of the process's memory.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, without the memory that importing it costs
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PREFIX = "BREAKWATER_"


class Flag:
    """One setting: its name without dashes, what its value looks like (empty for a switch), and what it says.

    `default` is a value; `computed` says in words what the default is when it is worked out.
    """

    __slots__ = ("computed", "default", "help", "name", "repeats", "value")

    def __init__(  # noqa: PLR0913 (a flag has these parts)
        self,
        name: str,
        value: str,
        text: str,
        *,
        default: str = "",
        computed: str = "",
        repeats: bool = False,
    ) -> None:
        self.name = name
        self.value = value
        self.help = text
        self.default = default
        self.computed = computed
        self.repeats = repeats

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return PREFIX + self.name.upper().replace("-", "_")


FLAGS = (
    Flag(
        "service",
        "NAMESPACE/NAME[:PORT]",
        "service of this workload, and the port it is called at, else 80",
        repeats=True,
    ),
    Flag(
        "workload",
        "NAMESPACE/POD",
        "in a cluster, instead of --service: the control plane knows the services",
    ),
    Flag(
        "service-account",
        "NAME",
        "account that the workload runs as, for rules that speak of one",
        computed="none",
    ),
    Flag("instance", "ID", "name of this sidecar in the mesh", computed="host name and --inbound port"),
    Flag("controlplane", "HOST:PORT[,HOST:PORT...]", "control planes, any one of which will do"),
    Flag(
        "controlplane-ca", "FILE", "who signs the certificates of control planes, in PEM: connects over TLS"
    ),
    Flag("token-file", "FILE", "token that proves to control planes who this is; read whenever it is needed"),
    Flag("insecure", "", "allow plain text to a control plane off this machine", default="false"),
    Flag(
        "app",
        "[NAME=]ADDR:PORT[@LISTEN]",
        "the application; each further port has a LISTEN of its own",
        repeats=True,
    ),
    Flag(
        "inbound",
        "ADDR:PORT",
        "where others reach the application; [::] is every address, of IPv4 as well",
        default="0.0.0.0:15006",
    ),
    Flag(
        "advertise",
        "HOST",
        "address that is registered",
        computed="the address that reaches the control plane",
    ),
    Flag(
        "label",
        "NAME=VALUE",
        "label of this instance; topology.kubernetes.io/zone says which endpoints are near",
        repeats=True,
    ),
    Flag("outbound", "ADDR:PORT", "where the application sends its calls", default="127.0.0.1:15001"),
    Flag("upstream", "LISTEN=NAMESPACE/NAME:PORT", "a port of its own for one service", repeats=True),
    Flag(
        "capture",
        "explicit | redirect",
        "how traffic gets here: sent, or led by the rules of breakwater-capture",
        default="explicit",
    ),
    Flag(
        "pass-through-after",
        "SECONDS",
        "how long to wait for a first configuration; then everything passes unenforced until it is there",
        computed="never: without one, nothing is ready",
    ),
    Flag(
        "drain-timeout",
        "SECONDS",
        "time for what is in flight when it is told to end, by a signal or an order that says no other",
        default="25",
    ),
    Flag(
        "opaque-ports",
        "PORT[,PORT...]",
        "ports on which servers speak first, unless somebody declares what is spoken there",
        default="25,587,3306,4444,5432,6379,9300,11211",
    ),
    Flag(
        "probe",
        "[https:]PORT[/PATH]",
        "how the application is asked whether it lives: nothing is enforced on that path; without one, "
        "/probe/PORT of --http says whether somebody takes connections; with https:, /probe/PORT/PATH asks",
        repeats=True,
    ),
    Flag(
        "app-protocol",
        "PORT=http | tcp | detect",
        "what the application speaks where captured connections lead, whatever its services say",
        repeats=True,
    ),
    Flag(
        "app-metrics",
        "PORT/PATH",
        "where the application shows what it measures; /metrics of --http shows it beside the sidecar's",
    ),
    Flag("log-level", "error | warn | info | debug", "how much is logged", default="info"),
    Flag("admin", "unix:PATH", "socket of SidecarAdminService", computed="admin.sock in the state directory"),
    Flag("http", "ADDR:PORT", "/metrics, /ready and /live, and what --probe says", default="127.0.0.1:15090"),
    Flag(
        "state-dir",
        "DIR",
        "last good configuration",
        computed="breakwater/ID in the user's state directory",
    ),
    Flag(
        "cgroup",
        "DIR",
        "cgroup (v2) whose use limits of resources watch",
        computed="that of the sidecar",
    ),
    Flag("workers", "1", "event loops that forward traffic", default="1"),
    Flag("owner", "TEXT", "contract: team or person in charge"),
    Flag("contract-version", "TEXT", "contract: version of the service"),
    Flag("idempotent", "METHOD", "contract: a method that may be repeated", repeats=True),
    Flag("documentation", "URL", "contract: where it is documented"),
    Flag("config", "FILE", "TOML with these flags as keys"),
)
BY_NAME = {flag.name: flag for flag in FLAGS}


def parse(
    words: Sequence[str], known: Mapping[str, Flag] = BY_NAME
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the values of a command line by flag, and everything that is wrong with it."""
    values: dict[str, list[str]] = {}
    problems: list[str] = []
    waiting = list(reversed(words))
    while waiting:
        word, equals, value = waiting.pop().partition("=")
        flag = known.get(word[2:]) if word.startswith("--") else None
        if not equals and flag and not flag.value:
            value = "true"
        elif not equals and word.startswith("-"):
            value = _next_value(waiting)  # that of an unknown flag as well, which is no problem of its own
        if flag is None:
            problems.append(_unknown(word, known))
        elif value:
            values.setdefault(flag.name, []).append(value)
        else:
            problems.append(f"{word}: expected {flag.value or 'true or false'}, found nothing")
    problems += [
        f"--{name}: expected once, found {len(given)} times"
        for name, given in values.items()
        if len(given) > 1 and not known[name].repeats
    ]
    return values, problems


def _next_value(waiting: list[str]) -> str:
    return waiting.pop() if waiting and not waiting[-1].startswith("-") else ""


def _unknown(word: str, known: Mapping[str, Flag]) -> str:
    if not word.startswith("-"):
        return f"{word}: expected a flag; --help lists what there is"
    return f"{word}: there is no such flag; {suggestion(word.lstrip('-'), known)}"


def suggestion(name: str, known: Mapping[str, Flag] = BY_NAME) -> str:
    """Return what was probably meant by the name of a flag that there is not; else where to look."""
    import difflib  # noqa: PLC0415  # costs memory that a sidecar without problems need not spend

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "--help lists what there is"


def usage() -> Iterator[str]:
    """Yield the lines of `--help`."""
    yield "Usage: breakwater-sidecar (--service NAMESPACE/NAME | --workload NAMESPACE/POD) [flags]"
    yield "       breakwater-sidecar wait [--http ADDR:PORT]   until the sidecar there is ready"
    yield "       breakwater-sidecar drain [--admin unix:PATH] [--after SECONDS] [--deadline SECONDS]"
    yield "                          [--outbound-until now | signal | unused]"
    yield ""
    yield f"Every flag is also {PREFIX}<FLAG> in the environment and a key in --config FILE; flags win."
    yield ""
    for flag in FLAGS:
        repeats = "; repeatable" if flag.repeats else ""
        yield f"  --{flag.name} {flag.value}".rstrip()
        yield f"        {flag.help}{repeats} (default: {flag.default or flag.computed or 'none'})"
    yield "  --version"
    yield "        print the version, and exit"
    yield "  --help"
    yield "        print this, and exit"
