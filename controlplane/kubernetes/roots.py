"""Publishes the roots of the authority in a ConfigMap of each namespace: pods mount only what lies in theirs.

What is there already is asked each time, with one request: what somebody changed or deleted comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import structlog
from msgspec import Struct

from controlplane.errors import KubernetesError
from controlplane.keep import BUNDLE
from controlplane.kubernetes.call import APPLY, Call
from controlplane.kubernetes.objects import Object, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controlplane.kubernetes.api import Api

NAME: Final = "breakwater-ca"
"""Of the ConfigMap in each namespace, and of the Secret in ours, where there is no revision."""

_MANAGER: Final = "breakwater-authority"
_SYSTEM: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_ENDING: Final = "Terminating"
_PAGE: Final = 500

T = TypeVar("T", bound=Object)
log = structlog.get_logger()


class _State(Struct, frozen=True):
    phase: str = ""


class _Namespace(Object, frozen=True, kw_only=True):
    status: _State = _State()

    @property
    def takes_objects(self) -> bool:
        return self.metadata.name not in _SYSTEM and self.status.phase != _ENDING


class _ConfigMap(Object, frozen=True, kw_only=True):
    data: dict[str, str] = msgspec.field(default_factory=dict)


async def publish_roots(api: Api, bundle: bytes) -> None:
    """Writes the ConfigMap of every namespace where it is missing, or another; one that fails is only logged.

    Raises:
        KubernetesError: what there is cannot be read.
        MsgspecError: the same.
    """
    name, text = api.named(NAME), bundle.decode()
    # From the server's memory: it need not be the newest, since what is written twice is no change.
    ours = {"fieldSelector": f"metadata.name={name}", "resourceVersion": "0"}
    found = _listed(api, "/api/v1/configmaps", ours, _ConfigMap)
    told = {each.metadata.namespace async for each in found if each.data.get(BUNDLE) == text}
    async for each in _listed(api, "/api/v1/namespaces", {"limit": str(_PAGE)}, _Namespace):
        if each.takes_objects and each.metadata.name not in told:
            await _tell(api, each.metadata.name, name, text)


async def _listed(api: Api, path: str, query: Mapping[str, str], form: type[T]) -> AsyncIterator[T]:
    """Every object of a list, page by page."""
    query = dict(query)
    while True:
        page = msgspec.json.decode(await api.call(Call(path=path, query=query)), type=Page)
        for item in page.items or ():
            yield msgspec.json.decode(item, type=form)
        if not page.metadata.next_page:
            return
        query["continue"] = page.metadata.next_page


async def _tell(api: Api, namespace: str, name: str, text: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {BUNDLE: text},
    }
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    query = {"fieldManager": _MANAGER, "force": "true"}
    try:
        await api.call(Call(method="PATCH", path=path, query=query, form=APPLY, body=body))
    except KubernetesError as error:
        log.warning("roots not published", namespace=namespace, reason=str(error))
