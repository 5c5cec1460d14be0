"""Finds the control plane of a cluster: a ready pod of its Service, whom to trust, and the token to show."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec import Struct, field

from controlplane.cli.errors import ClusterError
from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import Call
from controlplane.kubernetes.forward import PodPort
from controlplane.kubernetes.objects import Object

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api

_LABELS: Final = "app.kubernetes.io/name=breakwater,app.kubernetes.io/component=controlplane"
_USUAL_NAMESPACE: Final = "breakwater-system"
_ROOTS: Final = "breakwater-ca"
_PORT: Final = "admin"
_REVISION: Final = "--revision="
_FORBIDDEN: Final = 403
_INSTALL: Final = (
    "install one with `helm install breakwater charts/breakwater -n breakwater-system --create-namespace`"
)

T = TypeVar("T")


class _ServiceSpec(Struct, frozen=True):
    selector: dict[str, str] = {}


class _Service(Object, frozen=True, kw_only=True):
    spec: _ServiceSpec = field(default_factory=_ServiceSpec)


class _Port(Struct, frozen=True, rename="camel"):
    name: str = ""
    container_port: int = 0


class _Container(Struct, frozen=True):
    args: tuple[str, ...] = ()
    ports: tuple[_Port, ...] = ()


class _SecretSource(Struct, frozen=True, rename="camel"):
    secret_name: str = ""


class _Volume(Struct, frozen=True):
    name: str
    secret: _SecretSource | None = None


class _PodSpec(Struct, frozen=True):
    containers: tuple[_Container, ...] = ()
    volumes: tuple[_Volume, ...] = ()


class _Condition(Struct, frozen=True):
    type: str
    status: str


class _PodStatus(Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Pod(Object, frozen=True, kw_only=True):
    spec: _PodSpec = field(default_factory=_PodSpec)
    status: _PodStatus = field(default_factory=_PodStatus)

    @property
    def is_ready(self) -> bool:
        return _Condition("Ready", "True") in self.status.conditions

    @property
    def is_insecure(self) -> bool:
        return any("--insecure" in container.args for container in self.spec.containers)

    @property
    def roots(self) -> str:
        words = (word for container in self.spec.containers for word in container.args)
        found = (word.removeprefix(_REVISION) for word in words if word.startswith(_REVISION))
        return "-".join((_ROOTS, *found))

    @property
    def admin_port(self) -> int:
        ports = (port for container in self.spec.containers for port in container.ports)
        return next((port.container_port for port in ports if port.name == _PORT), 0)

    @property
    def admin_secret(self) -> str:
        secrets = (each.secret for each in self.spec.volumes if each.name == _PORT)
        return next((secret.secret_name for secret in secrets if secret), "")


class _Data(Struct, frozen=True):
    data: dict[str, str] = {}


class _Items(Struct, frozen=True):
    items: tuple[msgspec.Raw, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A control plane: where it is reached, what it is called, whom to trust in PEM, and the token to show.

    Without `roots` it speaks plain text, and asks for no token.
    """

    place: PodPort
    name: str
    roots: bytes
    token: str


async def find_controlplane(api: Api, *, needs_token: bool) -> Found:
    """The control plane of a cluster, as its chart installed it, with the token to show if it is needed.

    Raises:
        ClusterError: there is none, or it may not be found.
    """
    service = await _service(api)
    namespace = service.metadata.namespace
    pod = await _pod(api, service)
    place = PodPort(namespace, pod.metadata.name, pod.admin_port)
    if pod.is_insecure:
        return Found(place=place, name="", roots=b"", token="")
    roots = await _read(api, namespace, "configmaps", pod.roots)
    secret = await _read(api, namespace, "secrets", pod.admin_secret) if needs_token else _Data()
    return Found(
        place=place,
        name=f"{service.metadata.name}.{namespace}.svc",
        roots=roots.data.get("ca.crt", "").encode(),
        token=base64.b64decode(secret.data.get("token", "")).decode().strip(),
    )


async def _service(api: Api) -> _Service:
    """The one Service, or that of them which lies in the context's namespace."""
    found = await _services(api)
    here = [each for each in found if each.metadata.namespace == api.namespace]
    if len(found) > 1 and len(here) == 1:
        return here[0]
    if not found:
        raise ClusterError(f"no control plane in this cluster\n{_INSTALL}")
    if len(found) > 1:
        names = ", ".join(f"{each.metadata.namespace}/{each.metadata.name}" for each in found)
        raise ClusterError(
            f"several control planes: {names}\n"
            "choose with `kubectl config set-context --current --namespace NAMESPACE`"
        )
    return found[0]


async def _services(api: Api) -> tuple[_Service, ...]:
    """Those of all namespaces, or of the first likely one where we may list them."""
    places = ("", f"/namespaces/{api.namespace}", f"/namespaces/{_USUAL_NAMESPACE}")
    refusals: list[KubernetesError] = []
    for place in places:
        try:
            return await _list(api, f"/api/v1{place}/services", _LABELS, _Service)
        except KubernetesError as error:
            if error.status != _FORBIDDEN:
                raise
            refusals.append(error)
    raise refusals[0]


async def _pod(api: Api, service: _Service) -> _Pod:
    namespace = service.metadata.namespace
    labels = ",".join(f"{name}={value}" for name, value in sorted(service.spec.selector.items()))
    pods = await _list(api, f"/api/v1/namespaces/{namespace}/pods", labels, _Pod)
    ready = [pod for pod in pods if pod.is_ready and pod.admin_port]
    if not ready:
        raise ClusterError(
            f"no pod of the control plane is ready in {namespace}\n"
            f"look with `kubectl -n {namespace} get pods`, and at their logs"
        )
    return ready[0]


async def _list(api: Api, path: str, labels: str, form: type[T]) -> tuple[T, ...]:
    body = await api.call(Call(path=path, query={"labelSelector": labels}))
    return tuple(
        msgspec.json.decode(item, type=form) for item in msgspec.json.decode(body, type=_Items).items
    )


async def _read(api: Api, namespace: str, resource: str, name: str) -> _Data:
    body = await api.call(Call(path=f"/api/v1/namespaces/{namespace}/{resource}/{name}"))
    return msgspec.json.decode(body, type=_Data)
