"""Keeps the roots of the authority in a Secret of our namespace, and publishes them where they are needed.

Every namespace gets them in a ConfigMap, and so do our webhooks, so that the API server trusts us.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import msgspec

from controlplane.errors import AuthorityError, KubernetesError
from controlplane.keep import ROOTS, Kept
from controlplane.kubernetes.call import Call
from controlplane.kubernetes.objects import Object
from controlplane.kubernetes.reflection import MISSING
from controlplane.kubernetes.roots import NAME, publish_roots
from controlplane.kubernetes.webhooks import trust_webhooks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controlplane.kubernetes.api import Api

_CONFLICT: Final = 409


class Secret(Object, frozen=True, kw_only=True):
    """A Secret, its data in base64."""

    data: dict[str, str] = msgspec.field(default_factory=dict)


class SecretKeep:
    """The keep of all replicas in a cluster; `webhooks` are the configurations that are to trust us."""

    def __init__(self, api: Api, webhooks: Sequence[str]) -> None:
        self._api = api
        self._webhooks = tuple(webhooks)
        self._name = api.named(NAME)
        self._secrets = f"/api/v1/namespaces/{api.namespace}/secrets"

    async def load(self) -> Kept | None:
        """What the Secret holds, or `None`."""
        try:
            secret = await self._read()
            if secret is None or ROOTS not in secret.data:
                return None
            text = base64.b64decode(secret.data[ROOTS], validate=True)
        except (KubernetesError, msgspec.MsgspecError, ValueError) as error:
            raise AuthorityError(f"cannot read Secret {self._place}: {error}") from error
        return Kept(text=text, version=secret.metadata.resource_version)

    async def save(self, text: bytes, version: str) -> bool:
        """Writes the Secret, unless somebody else has since."""
        written = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self._name} | ({"resourceVersion": version} if version else {}),
            "data": {ROOTS: base64.b64encode(text).decode()},
        }
        path = f"{self._secrets}/{self._name}" if version else self._secrets
        try:
            await self._api.call(Call(method="PUT" if version else "POST", path=path, body=written))
        except KubernetesError as error:
            if error.status == _CONFLICT:
                return False
            raise AuthorityError(f"cannot keep Secret {self._place}: {error}") from error
        return True

    async def publish(self, bundle: bytes) -> None:
        """Writes the ConfigMap of every namespace, and what our webhooks trust, where it is another."""
        try:
            await publish_roots(self._api, bundle)
            await trust_webhooks(self._api, self._webhooks, bundle)
        except (KubernetesError, msgspec.MsgspecError) as error:
            raise AuthorityError(f"cannot publish roots: {error}") from error

    @property
    def _place(self) -> str:
        return f"{self._api.namespace}/{self._name}"

    async def _read(self) -> Secret | None:
        try:
            body = await self._api.call(Call(path=f"{self._secrets}/{self._name}"))
        except KubernetesError as error:
            if error.status == MISSING:
                return None
            raise
        return msgspec.json.decode(body, type=Secret)
