"""Where the store is, and how it is reached, out of the texts of the settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from controlplane.flags import unreadable
from registry.config import EtcdAccess, EtcdLocation, StoreLocation, parse_location
from registry.errors import InvalidLocationError

_FILES = ("etcd-ca", "etcd-cert", "etcd-key", "etcd-password-file")
_FLAGS = (*_FILES, "etcd-user")
_TOGETHER = (("etcd-cert", "etcd-key"), ("etcd-user", "etcd-password-file"))


def read_location(texts: Mapping[str, str], insecure: bool, problems: list[str]) -> StoreLocation | None:
    """The store that the settings name; adds everything that is wrong with it to `problems`."""
    try:
        location = parse_location(texts["store"], _access(texts))
    except InvalidLocationError as error:
        problems.append(f"--store: {error}")
        return None
    if isinstance(location, EtcdLocation):
        problems += _problems(location, texts, insecure)
    else:
        problems += [f"--{name}: only with --store etcd://HOST:PORT" for name in _FLAGS if texts[name]]
    return location


def _access(texts: Mapping[str, str]) -> EtcdAccess:
    files = {name: Path(texts[name]) if texts[name] else None for name in _FILES}
    return EtcdAccess(
        ca=files["etcd-ca"],
        certificate=files["etcd-cert"],
        key=files["etcd-key"],
        user=texts["etcd-user"],
        password_file=files["etcd-password-file"],
    )


def _problems(location: EtcdLocation, texts: Mapping[str, str], insecure: bool) -> Iterator[str]:
    yield from unreadable(_FILES, texts)
    for names in _TOGETHER:
        given = [name for name in names if texts[name]]
        if len(given) == 1:
            (missing,) = set(names) - set(given)
            yield f"--{given[0]}: expected --{missing} with it"
    if location.is_exposed and not insecure:
        yield f"--store {location}: plain text off loopback; give --etcd-ca, or say --insecure"
