"""Settings of the control plane: flags win, then the environment, then a TOML file, then the defaults."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.errors import SettingsError
from controlplane.flags import CONFIG, FLAGS, parse_flags, suggestion
from controlplane.location import read_location
from controlplane.security import Security, read_security
from controlplane.webhook import Injection, read_injection
from registry.config import StoreLocation, is_loopback

_MAX_PORT = 65_535
_REVISION = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")  # part of names of objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster to watch; without a kubeconfig, the one that we run in.

    Several kubeconfigs are separated as in `PATH`; an empty `context` is the current one. `annotates` says
    whether Services are told which policies target them, `revision` which of several control planes this is.
    """

    kubeconfig: str
    context: str = ""
    annotates: bool = False
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set."""

    store: StoreLocation
    policies: Path | None
    kubernetes: Cluster | None
    listen: Address
    admin: Address
    http: Address
    trust_domain: str
    otlp_endpoint: str
    security: Security
    webhook: Address | None
    injection: Injection | None
    insecure: bool


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings that the command line, the environment and the file named by `--config` make.

    Raises:
        SettingsError: with every problem that there is.
    """
    given, problems = parse_flags(arguments)
    texts = {flag.name: flag.default for flag in FLAGS}
    texts["store"] = f"sqlite:{_state_directory(environment) / 'registry.db'}"
    texts["otlp-endpoint"] = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    texts |= _from_file(given.get("config") or environment.get(CONFIG.variable, ""), problems)
    texts |= {flag.name: environment[flag.variable] for flag in FLAGS if environment.get(flag.variable)}
    texts |= given
    settings = _build(texts, environment.get("KUBECONFIG", ""), problems)
    if settings is None or problems:
        raise SettingsError(problems)
    return settings


def _state_directory(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME", "/"))
    return Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state") / "breakwater"


def _from_file(path: str, problems: list[str]) -> dict[str, str]:
    if not path:
        return {}
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"--config {path}: {error}")
        return {}
    known = {flag.name for flag in FLAGS}
    problems += [f"{path}: there is no setting {key}; {suggestion(key)}" for key in content.keys() - known]
    return {key: _text(value) for key, value in content.items() if key in known}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _build(texts: Mapping[str, str], kubeconfig: str, problems: list[str]) -> Settings | None:
    insecure = _switch("insecure", texts, problems)
    kubernetes = _switch("kubernetes", texts, problems)
    annotates = _switch("annotate-services", texts, problems)
    revision = _revision(texts["revision"], problems)
    store = read_location(texts, insecure, problems)
    security = read_security(texts, in_cluster=kubernetes and not insecure, problems=problems)
    is_allowed = insecure or security.is_encrypted
    listen, admin, http = (
        _address(name, texts[name], is_allowed, problems) for name in ("listen", "admin", "http")
    )
    is_guarded = security.admin_token or security.admin_roots
    if admin and not (admin.is_loopback or insecure or is_guarded):
        problems.append(
            f"--admin {admin}: off loopback people must show a token or a certificate; "
            "give --admin-token-file or --admin-client-ca"
        )
    injection = read_injection(texts, is_possible=kubernetes and not insecure, problems=problems)
    webhook = _address("webhook", texts["webhook"], is_allowed, problems) if texts["webhook"] else None
    if not texts["trust-domain"]:
        problems.append("--trust-domain: expected a name, found nothing")
    if not (store and listen and admin and http):
        return None
    return Settings(
        store=store,
        policies=Path(texts["policies"]) if texts["policies"] else None,
        kubernetes=Cluster(kubeconfig=kubeconfig, annotates=annotates, revision=revision)
        if kubernetes
        else None,
        listen=listen,
        admin=admin,
        http=http,
        trust_domain=texts["trust-domain"],
        otlp_endpoint=_endpoint(texts["otlp-endpoint"], problems),
        security=security,
        webhook=webhook,
        injection=injection,
        insecure=insecure,
    )


def _switch(name: str, texts: Mapping[str, str], problems: list[str]) -> bool:
    if texts[name] not in {"true", "false"}:
        problems.append(f"--{name}: expected true or false, found {texts[name]!r}")
    return texts[name] == "true"


def _revision(text: str, problems: list[str]) -> str:
    if text and not _REVISION.fullmatch(text):
        problems.append(
            f"--revision: expected at most 40 lower-case letters, digits and inner dashes, found {text!r}"
        )
    return text


def _endpoint(text: str, problems: list[str]) -> str:
    """Where a collector is; empty: there is none."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    is_plain = is_one and not (parts.username or parts.query or parts.fragment)
    if text and not is_plain:
        problems.append(f"--otlp-endpoint: expected http://HOST:PORT or https://HOST:PORT, found {text!r}")
    return text


def _address(name: str, text: str, is_allowed: bool, problems: list[str]) -> Address | None:
    """The address, unless others could reach it and it is not allowed: neither encrypted nor asked for."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and port.isascii() and port.isdecimal() and int(port) <= _MAX_PORT):
        problems.append(f"--{name}: expected HOST:PORT, found {text!r}")
        return None
    address = Address(host=host, port=int(port))
    if not (address.is_loopback or is_allowed):
        problems.append(
            f"--{name} {address}: plain text off loopback; give --tls-cert or --ca-dir, or say --insecure"
        )
    return address
