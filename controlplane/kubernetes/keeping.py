"""Keeps the roots of the authority in a Secret of our namespace, and publishes them where they are needed.

Every namespace gets them in a ConfigMap, since pods mount only what lies in their own; and our webhooks, so
that the API server trusts us.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from msgspec import Struct

from controlplane.errors import AuthorityError, KubernetesError
from controlplane.keep import BUNDLE, ROOTS, Kept
from controlplane.kubernetes.call import APPLY, Call
from controlplane.kubernetes.objects import Meta, Object
from controlplane.kubernetes.reflection import MISSING
from controlplane.kubernetes.webhooks import trust_webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from controlplane.kubernetes.api import Api

NAME: Final = "breakwater-ca"
"""Of the Secret, and of the ConfigMap in each namespace."""

_MANAGER: Final = "breakwater-authority"
_CONFLICT: Final = 409
_SYSTEM: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_PAGE: Final = 500

log = structlog.get_logger()


class Secret(Struct, frozen=True):
    """A Secret, its data in base64."""

    metadata: Meta
    data: dict[str, str] = {}


class PageMeta(Struct, frozen=True, rename="camel"):
    """Where the next page is; empty on the last."""

    continue_: str = msgspec.field(default="", name="continue")


class Namespaces(Struct, frozen=True):
    """One page of namespaces."""

    metadata: PageMeta
    items: list[Object]


class SecretKeep:
    """The keep of all replicas in a cluster; `webhooks` are the configurations that are to trust us."""

    def __init__(self, api: Api, webhooks: Sequence[str]) -> None:
        self._api = api
        self._webhooks = tuple(webhooks)
        self._secrets = f"/api/v1/namespaces/{api.namespace}/secrets"
        self._told: dict[str, bytes] = {}

    async def load(self) -> Kept | None:
        """What the Secret holds, or `None`."""
        try:
            secret = await self._read()
            if secret is None or ROOTS not in secret.data:
                return None
            text = base64.b64decode(secret.data[ROOTS], validate=True)
        except (KubernetesError, msgspec.MsgspecError, ValueError) as error:
            raise AuthorityError(f"cannot read Secret {self._api.namespace}/{NAME}: {error}") from error
        return Kept(text=text, version=secret.metadata.resource_version)

    async def save(self, text: bytes, version: str) -> bool:
        """Writes the Secret, unless somebody else has since."""
        written = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": NAME} | ({"resourceVersion": version} if version else {}),
            "data": {ROOTS: base64.b64encode(text).decode()},
        }
        path = f"{self._secrets}/{NAME}" if version else self._secrets
        try:
            await self._api.call(Call(method="PUT" if version else "POST", path=path, body=written))
        except KubernetesError as error:
            if error.status == _CONFLICT:
                return False
            raise AuthorityError(f"cannot keep Secret {self._api.namespace}/{NAME}: {error}") from error
        return True

    async def publish(self, bundle: bytes) -> None:
        """Writes the ConfigMap of every namespace that has not been told yet, and what our webhooks trust."""
        try:
            found = [name async for name in self._namespaces()]
            self._told = {name: told for name, told in self._told.items() if name in found}
            for name in found:
                if self._told.get(name) != bundle:
                    await self._tell(name, bundle)
            await trust_webhooks(self._api, self._webhooks, bundle)
        except (KubernetesError, msgspec.MsgspecError) as error:
            raise AuthorityError(f"cannot publish roots: {error}") from error

    async def _read(self) -> Secret | None:
        try:
            body = await self._api.call(Call(path=f"{self._secrets}/{NAME}"))
        except KubernetesError as error:
            if error.status == MISSING:
                return None
            raise
        return msgspec.json.decode(body, type=Secret)

    async def _namespaces(self) -> AsyncIterator[str]:
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._api.call(Call(path="/api/v1/namespaces", query=query))
            namespaces = msgspec.json.decode(page, type=Namespaces)
            for one in namespaces.items:
                if one.metadata.name not in _SYSTEM:
                    yield one.metadata.name
            if not namespaces.metadata.continue_:
                return
            query |= {"continue": namespaces.metadata.continue_}

    async def _tell(self, namespace: str, bundle: bytes) -> None:
        """Writes one ConfigMap; a namespace that is ending takes none, and needs none."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": namespace},
            "data": {BUNDLE: bundle.decode()},
        }
        path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"
        query = {"fieldManager": _MANAGER, "force": "true"}
        try:
            await self._api.call(Call(method="PATCH", path=path, query=query, form=APPLY, body=body))
            self._told[namespace] = bundle
        except KubernetesError as error:
            log.warning("roots not published", namespace=namespace, reason=str(error))
