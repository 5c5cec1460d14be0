"""How what listens is secured, out of the texts of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.flags import unreadable

_FILES = ("tls-cert", "tls-key", "tls-ca", "admin-token-file", "admin-client-ca")


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """A certificate that is given, or the directory of an authority of our own; or neither: plain text.

    `bundle` has the roots of who signed what is given.

    An authority that is `in_cluster` is kept there. `names` are further names and addresses that callers use,
    `webhooks` the configurations that are to trust our own authority; `admin_token` is the file with what
    people show, `admin_roots` that of who signs the certificates that they show.
    """

    certificate: Path | None = None
    key: Path | None = None
    bundle: Path | None = None
    ca_dir: Path | None = None
    in_cluster: bool = False
    names: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    admin_token: Path | None = None
    admin_roots: Path | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether what sidecars and people connect to speaks TLS."""
        return self.certificate is not None or self.ca_dir is not None or self.in_cluster


def read_security(texts: Mapping[str, str], *, in_cluster: bool, problems: list[str]) -> Security:
    """What the settings say; adds everything that is wrong with it to `problems`.

    `in_cluster` says that the cluster keeps the roots of an authority, if nothing else is named.
    """
    problems += _problems(texts, in_cluster=in_cluster)
    files = {name: Path(texts[name]) if texts[name] else None for name in (*_FILES, "ca-dir")}
    return Security(
        certificate=files["tls-cert"],
        key=files["tls-key"],
        bundle=files["tls-ca"],
        ca_dir=files["ca-dir"],
        in_cluster=in_cluster and not (texts["tls-cert"] or texts["ca-dir"]),
        names=_items(texts["tls-names"]),
        webhooks=_items(texts["webhook-configurations"]),
        admin_token=files["admin-token-file"],
        admin_roots=files["admin-client-ca"],
    )


def _items(text: str) -> tuple[str, ...]:
    return tuple(item for item in text.split(",") if item)


def _problems(texts: Mapping[str, str], *, in_cluster: bool) -> Iterator[str]:
    yield from unreadable(_FILES, texts)
    if bool(texts["tls-cert"]) != bool(texts["tls-key"]):
        given, missing = ("cert", "key") if texts["tls-cert"] else ("key", "cert")
        yield f"--tls-{given}: expected --tls-{missing} with it"
    if texts["tls-ca"] and not texts["tls-cert"]:
        yield "--tls-ca: expected --tls-cert with it, which it is to have signed"
    if texts["tls-cert"] and texts["ca-dir"]:
        yield "--ca-dir: a certificate is given already, with --tls-cert"
    if texts["admin-client-ca"] and not (texts["tls-cert"] or texts["ca-dir"] or in_cluster):
        yield "--admin-client-ca: expected TLS, with --tls-cert, --ca-dir or --kubernetes"
    is_own = not texts["tls-cert"] and (texts["ca-dir"] or in_cluster)
    if texts["tls-names"] and not is_own:
        yield "--tls-names: expected an authority of our own, with --ca-dir or --kubernetes"
    if texts["webhook-configurations"] and not (in_cluster and (is_own or texts["tls-ca"])):
        yield "--webhook-configurations: expected --kubernetes with it, and roots to trust: ours, or --tls-ca"
