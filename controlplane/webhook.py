"""Where the webhooks listen and what they inject, out of the texts of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from controlplane.version import program_version

_FLAGS = ("webhook-cert", "webhook-key", "sidecar-image", "capture-image", "sidecar-controlplane")


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What is injected, and the certificate of the webhooks; without one, that of `--listen` is shown.

    Sidecars connect to `controlplane`; empty stands for the Service that the chart makes.
    """

    sidecar_image: str
    capture_image: str
    controlplane: str
    certificate: Path | None
    key: Path | None


def read_injection(texts: Mapping[str, str], *, is_possible: bool, problems: list[str]) -> Injection | None:
    """What the settings say; `None` without webhooks. Adds everything that is wrong with it to `problems`."""
    if not texts["webhook"]:
        problems += [f"--{name}: expected --webhook with it" for name in _FLAGS if texts[name]]
        return None
    problems += _problems(texts, is_possible=is_possible)
    version = program_version()
    return Injection(
        sidecar_image=texts["sidecar-image"] or f"breakwater/sidecar:{version}",
        capture_image=texts["capture-image"] or f"breakwater/capture:{version}",
        controlplane=texts["sidecar-controlplane"],
        certificate=Path(texts["webhook-cert"]) if texts["webhook-cert"] else None,
        key=Path(texts["webhook-key"]) if texts["webhook-key"] else None,
    )


def _problems(texts: Mapping[str, str], *, is_possible: bool) -> Iterator[str]:
    if not is_possible:
        yield "--webhook: expected --kubernetes with it, and no --insecure: the API server calls over TLS"
    if bool(texts["webhook-cert"]) != bool(texts["webhook-key"]):
        given, missing = ("cert", "key") if texts["webhook-cert"] else ("key", "cert")
        yield f"--webhook-{given}: expected --webhook-{missing} with it"
