"""How the kubelet asks an application behind redirected ports whether it lives.

What it asks over HTTP and gRPC passes the sidecar with nothing enforced on it. Nobody looks into TLS, where
limits of connections would hold, and a connection alone would be the sidecar's and tell nothing of the
application: such questions are put to the sidecar, which asks itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from controlplane.injector.operations import Operation
from controlplane.injector.pod import MAX_PORT, Pod, block, containers, entries, port_number
from controlplane.injector.template import HTTP_PORT, OWN_PORTS
from controlplane.policy.sidecar_profile import Capture, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBES: Final = (("startupProbe",), ("readinessProbe",), ("livenessProbe",))
_HOOKS: Final = (("lifecycle", "postStart"), ("lifecycle", "preStop"))
_GRPC_CHECK: Final = "/grpc.health.v1.Health/Check"
_IN_URLS: Final = "/?%:@!$&'()*+,;=~-._[]"


Original: TypeAlias = int | str | Mapping[str, Any]
"""A port that was connected to, or what was asked over TLS."""


class _Asked(NamedTuple):
    """A question of the kubelet: where it stands, in what container, and how it asks."""

    place: tuple[str | int, ...]
    container: Mapping[str, Any]
    action: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Names it among those of its pod."""
        return f"{self.container.get('name')}/{self.place[-1]}"

    @property
    def is_secured(self) -> bool:
        """Whether it asks over TLS."""
        return block(self.action, "httpGet").get("scheme") == "HTTPS"

    def port(self, way: str) -> int | None:
        """The port of the application that it asks in this way, if it does."""
        asked = block(self.action, way)
        number = _number(asked.get("port"), self.container)
        return None if number is None or number in OWN_PORTS or asked.get("host") else number


def flags(pod: Pod, profile: Profile) -> Iterator[str]:
    """What the sidecar is told of them, each once."""
    if profile.capture is Capture.REDIRECT:
        found = {flag for asked in _asked(pod) for flag in _flags(asked, profile)}
        yield from (f"--probe={flag}" for flag in sorted(found))


def rewritten(pod: Pod, profile: Profile) -> Mapping[str, Original]:
    """The questions that are put to the sidecar, as the pod has them."""
    if profile.capture is not Capture.REDIRECT:
        return {}
    found: dict[str, Original] = {}
    for asked in _asked(pod):
        if _connected(asked, profile) is not None:
            found[asked.name] = block(asked.action, "tcpSocket")["port"]
        elif _secured(asked, profile) is not None:
            found[asked.name] = block(asked.action, "httpGet")
    return found


def additions(pod: Pod, originals: Mapping[str, Original]) -> Iterator[Operation]:
    """Puts these questions to the sidecar."""
    for asked in _asked(pod):
        if asked.name in originals:
            way, page = _page(asked, originals[asked.name])
            yield Operation("remove", (*asked.place, way))
            yield Operation("add", (*asked.place, "httpGet"), {**page, "port": HTTP_PORT})


def _page(asked: _Asked, original: Original) -> tuple[str, Mapping[str, Any]]:
    """How the application is asked, and the page of the sidecar that asks it so."""
    if not isinstance(original, Mapping):
        return "tcpSocket", {"path": f"/probe/{asked.port('tcpSocket')}"}
    said = {name: value for name, value in original.items() if name not in {"path", "port", "scheme"}}
    return "httpGet", {**said, "path": f"/probe/{asked.port('httpGet')}{_url(original.get('path'))}"}


def removals(pod: Pod, originals: Mapping[str, Original]) -> Iterator[Operation]:
    """Puts them to the application again."""
    for asked in _asked(pod):
        if asked.name in originals and block(asked.action, "httpGet").get("port") == HTTP_PORT:
            original = originals[asked.name]
            yield Operation("remove", (*asked.place, "httpGet"))
            if isinstance(original, Mapping):
                yield Operation("add", (*asked.place, "httpGet"), original)
            else:
                yield Operation("add", (*asked.place, "tcpSocket"), {"port": original})


def _asked(pod: Pod) -> Iterator[_Asked]:
    for name, index, container in containers(pod):
        for way in (*_PROBES, *_HOOKS):
            action = block(container, *way)
            if action:
                yield _Asked(("spec", name, index, *way), container, action)


def _flags(asked: _Asked, profile: Profile) -> Iterator[str]:
    web, call, connected = asked.port("httpGet"), asked.port("grpc"), _connected(asked, profile)
    path, secured = block(asked.action, "httpGet").get("path"), _secured(asked, profile)
    if secured is not None:
        yield f"https:{secured}{written(path)}"
    elif web is not None and not asked.is_secured:
        yield f"{web}{written(path)}"
    if call is not None:
        yield f"{call}{_GRPC_CHECK}"
    if connected is not None:
        yield str(connected)


def _connected(asked: _Asked, profile: Profile) -> int | None:
    """The port that is connected to, and redirected; hooks connect to nothing."""
    number = asked.port("tcpSocket")
    is_redirected = number not in profile.exclude_inbound_ports
    return number if is_redirected and asked.place[-2] != "lifecycle" else None


def _secured(asked: _Asked, profile: Profile) -> int | None:
    """The port that is asked over TLS, and redirected."""
    number = asked.port("httpGet") if asked.is_secured else None
    return None if number in profile.exclude_inbound_ports else number


def written(path: object) -> str:
    """A path as it is asked for, in a flag: no variable of the container is meant by it."""
    return _url(path).replace("$", "$$")


def _url(path: object) -> str:
    """A path as it is asked for."""
    text = quote(str(path or "/").partition("#")[0], safe=_IN_URLS)
    return ("" if text.startswith("/") else "/") + text


def _number(port: object, container: Mapping[str, Any]) -> int | None:
    if isinstance(port, str):
        named = (one.get("containerPort") for one in entries(container, "ports") if one.get("name") == port)
        port = next(named, port_number(port))
    return port if isinstance(port, int) and 0 < port <= MAX_PORT else None
