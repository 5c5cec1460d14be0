"""Asks the API server whose a token is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from controlplane.errors import KubernetesError, ReviewError
from controlplane.kubernetes.call import Call
from controlplane.model.identity import Identity

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api

_API: Final = "authentication.k8s.io/v1"
_ACCOUNT: Final = "system:serviceaccount:"
_POD: Final = "authentication.kubernetes.io/pod-name"


class User(Struct, frozen=True):
    """Whom a token names, and what more it says."""

    username: str = ""
    extra: dict[str, list[str]] = {}


class ReviewStatus(Struct, frozen=True):
    """What the API server finds; `audiences` are those of ours that the token is for."""

    authenticated: bool = False
    user: User = User()
    audiences: list[str] = []


class TokenReview(Struct, frozen=True):
    """The answer."""

    status: ReviewStatus = ReviewStatus()


class TokenReviews:
    """Reviews tokens made for one audience."""

    def __init__(self, api: Api, audience: str) -> None:
        self._api = api
        self._audience = audience

    async def __call__(self, token: str) -> Identity | None:
        """The pod that a token was made for, while it is there; `None` for every other token."""
        body = {
            "apiVersion": _API,
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        call = Call(method="POST", path=f"/apis/{_API}/tokenreviews", body=body)
        try:
            review = msgspec.json.decode(await self._api.call(call), type=TokenReview)
        except (KubernetesError, msgspec.MsgspecError) as error:
            raise ReviewError(str(error)) from error
        return identity_of(review.status, self._audience)


def identity_of(status: ReviewStatus, audience: str) -> Identity | None:
    """Who a reviewed token proves to be; a token that is bound to no pod proves nothing."""
    namespace, _, account = status.user.username.removeprefix(_ACCOUNT).partition(":")
    pod = next(iter(status.user.extra.get(_POD, [])), "")
    is_account = status.user.username.startswith(_ACCOUNT) and bool(namespace and account)
    if not (status.authenticated and audience in status.audiences and is_account and pod):
        return None
    return Identity(namespace=namespace, service_account=account, pod=pod)
