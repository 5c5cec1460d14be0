"""Flags of the control plane: what there is, what a command line gives, and what `--help` says."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.version import program_version

_PROGRAM = "breakwater-controlplane"
_PREFIX = "BREAKWATER_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One setting: name without dashes, what its value looks like (a switch has none), what it says."""

    name: str
    metavar: str
    help: str
    default: str = ""

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return _PREFIX + self.name.upper().replace("-", "_")


FLAGS = (
    Flag(
        name="store",
        metavar="sqlite:PATH | etcd://HOST:PORT[,HOST:PORT...]",
        help="where the registry and applied policies are kept; sqlite::memory: keeps them for this run",
        default="sqlite:registry.db in the user's state directory",
    ),
    Flag(name="etcd-ca", metavar="FILE", help="who signs the certificates of etcd, in PEM"),
    Flag(name="etcd-cert", metavar="FILE", help="the certificate that is shown to etcd, in PEM"),
    Flag(name="etcd-key", metavar="FILE", help="its private key, in PEM"),
    Flag(name="etcd-user", metavar="NAME", help="the user that etcd knows us as"),
    Flag(name="etcd-password-file", metavar="FILE", help="that user's password"),
    Flag(name="policies", metavar="DIR", help="watched directory of policies, every *.yaml"),
    Flag(
        name="kubernetes",
        metavar="",
        help="watch the cluster: that of KUBECONFIG, or the one that we run in",
        default="false",
    ),
    Flag(
        name="annotate-services",
        metavar="",
        help="with --kubernetes, write into Services which policies target them",
        default="false",
    ),
    Flag(
        name="revision",
        metavar="NAME",
        help="which of several control planes of a cluster this is; one of them has none",
    ),
    Flag(name="listen", metavar="HOST:PORT", help="where sidecars connect", default="127.0.0.1:15010"),
    Flag(name="admin", metavar="HOST:PORT", help="where people ask", default="127.0.0.1:15020"),
    Flag(name="http", metavar="HOST:PORT", help="/metrics /healthz /readyz", default="127.0.0.1:15014"),
    Flag(name="trust-domain", metavar="NAME", help="trust domain of identities", default="cluster.local"),
    Flag(
        name="otlp-endpoint",
        metavar="URL",
        help="collector that spans are posted to, OTLP over HTTP such as http://collector:4318",
        default="OTEL_EXPORTER_OTLP_ENDPOINT, if that is set",
    ),
    Flag(name="tls-cert", metavar="FILE", help="certificate of --listen and --admin with its chain, in PEM"),
    Flag(name="tls-key", metavar="FILE", help="its private key, in PEM; both are read again when replaced"),
    Flag(name="tls-ca", metavar="FILE", help="who signed it, in PEM; in a cluster, published for sidecars"),
    Flag(
        name="ca-dir",
        metavar="DIR",
        help="speak TLS with certificates of our own authority, which is kept here, its ca.crt for sidecars",
    ),
    Flag(
        name="tls-names",
        metavar="NAME[,NAME...]",
        help="further names and addresses that our own authority signs for",
    ),
    Flag(name="webhook", metavar="HOST:PORT", help="where the API server asks for sidecars, and for checks"),
    Flag(name="webhook-cert", metavar="FILE", help="its certificate, if not that of --listen, in PEM"),
    Flag(name="webhook-key", metavar="FILE", help="its private key, in PEM"),
    Flag(name="sidecar-image", metavar="IMAGE", help="image of the sidecars that are injected"),
    Flag(name="capture-image", metavar="IMAGE", help="image that redirects the traffic of their pods"),
    Flag(name="sidecar-controlplane", metavar="HOST:PORT", help="where they find the control plane"),
    Flag(
        name="webhook-configurations",
        metavar="NAME[,NAME...]",
        help="webhook configurations of the cluster that are to trust our own authority",
    ),
    Flag(
        name="admin-token-file",
        metavar="FILE",
        help="token that people must show at --admin; read for each call",
    ),
    Flag(
        name="admin-client-ca",
        metavar="FILE",
        help="who signs the certificates that people must show at --admin, in PEM",
    ),
    Flag(
        name="insecure",
        metavar="",
        help="plain text where others can reach it, also to an etcd; with --kubernetes, believe everybody",
        default="false",
    ),
)
CONFIG = Flag(name="config", metavar="FILE", help="TOML with these flags as keys")
_BY_WORD = {f"--{flag.name}": flag for flag in (*FLAGS, CONFIG)}


def parse_flags(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The values of a command line by flag, and everything that is wrong with it."""
    values: dict[str, str] = {}
    problems: list[str] = []
    waiting = deque(words)
    while waiting:
        word, equals, value = waiting.popleft().partition("=")
        flag = _BY_WORD.get(word)
        if not equals and flag and not flag.metavar:
            value = "true"
        elif not equals and word.startswith("-"):
            value = _next_value(waiting)  # that of an unknown flag as well, which is no problem of its own
        if flag is None:
            problems.append(_unknown(word))
        elif not value:
            problems.append(f"{word}: expected {flag.metavar or 'true or false'}, found nothing")
        elif values.setdefault(flag.name, value) != value:
            problems.append(f"{word}: expected once, found {values[flag.name]} and {value}")
    return values, problems


def suggestion(name: str) -> str:
    """What was probably meant by the name of a flag that there is not; else where to look."""
    import difflib  # noqa: PLC0415  # costs memory that a control plane without problems need not spend

    near = difflib.get_close_matches(name, [flag.name for flag in _BY_WORD.values()], n=1)
    return f"did you mean {near[0]}?" if near else "--help lists what there is"


def unreadable(names: Iterable[str], texts: Mapping[str, str]) -> Iterator[str]:
    """One problem for each of the files that flags of these names give and that cannot be read."""
    for name in names:
        try:
            if texts[name]:
                Path(texts[name]).read_bytes()
        except OSError as error:
            yield f"--{name} {texts[name]}: {error.strerror or error}"


def find_answer(words: Sequence[str]) -> str | None:
    """What answers a question about the program itself, if the words ask one."""
    if "--help" in words or "-h" in words:
        return "\n".join(_usage())
    return f"{_PROGRAM} {program_version()}" if "--version" in words else None


def _next_value(waiting: deque[str]) -> str:
    return waiting.popleft() if waiting and not waiting[0].startswith("-") else ""


def _unknown(word: str) -> str:
    if not word.startswith("-"):
        return f"{word}: expected a flag; --help lists what there is"
    return f"{word}: there is no such flag; {suggestion(word.lstrip('-'))}"


def _usage() -> Iterator[str]:
    yield f"Usage: {_PROGRAM} [flags]"
    yield ""
    yield f"Every flag is also {_PREFIX}<FLAG> in the environment and a key in --config FILE; flags win."
    yield ""
    for word, flag in _BY_WORD.items():
        yield f"  {word} {flag.metavar}".rstrip()
        yield f"        {flag.help} (default: {flag.default or 'none'})"
    yield "  --version"
    yield "        print the version, and exit"
    yield "  --help"
    yield "        print this, and exit"
