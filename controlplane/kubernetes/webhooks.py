"""Has the API server trust our webhooks: the roots of our authority in their configurations."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import Call
from controlplane.kubernetes.reflection import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controlplane.kubernetes.api import Api

_API: Final = "admissionregistration.k8s.io/v1"
_PATCH: Final = "application/json-patch+json"


class ClientConfig(Struct, frozen=True, rename="camel"):
    """How a webhook is called."""

    ca_bundle: str = ""


class Webhook(Struct, frozen=True, rename="camel"):
    """One webhook, as far as trust goes."""

    client_config: ClientConfig


class Webhooks(Struct, frozen=True):
    """The webhooks of one configuration."""

    webhooks: list[Webhook] = []


async def trust_webhooks(api: Api, names: Sequence[str], bundle: bytes) -> None:
    """Has the API server trust `bundle` in the webhook configurations of these names, where they are.

    Raises:
        KubernetesError: one cannot be read or written.
    """
    wanted = base64.b64encode(bundle).decode()
    for kind in ("mutating", "validating"):
        for name in names:
            await _trust(api, f"/apis/{_API}/{kind}webhookconfigurations/{name}", wanted)


async def _trust(api: Api, path: str, bundle: str) -> None:
    try:
        found = msgspec.json.decode(await api.call(Call(path=path)), type=Webhooks)
    except KubernetesError as error:
        if error.status == MISSING:
            return
        raise
    patch = [
        {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle}
        for index, webhook in enumerate(found.webhooks)
        if webhook.client_config.ca_bundle != bundle
    ]
    if patch:
        await api.call(Call(method="PATCH", path=path, form=_PATCH, body=patch))
