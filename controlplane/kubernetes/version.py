"""Which Kubernetes this is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from controlplane.errors import KubernetesError
from controlplane.kubernetes.call import Call

if TYPE_CHECKING:
    from controlplane.kubernetes.api import Api


class Version(Struct, frozen=True):
    """What the API server says of itself; some providers add a `+`."""

    minor: str = ""


async def minor(api: Api) -> int:
    """The N of Kubernetes 1.N.

    Raises:
        KubernetesError: the API server does not say it.
    """
    found = msgspec.json.decode(await api.call(Call(path="/version")), type=Version).minor
    number = re.match(r"[0-9]+", found)
    if number is None:
        raise KubernetesError(f"expected a version of Kubernetes, found {found!r}")
    return int(number[0])
