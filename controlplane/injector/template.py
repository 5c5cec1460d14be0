"""What is the same for every pod: images, where the control plane is, and what the cluster knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controlplane.policy.sidecar_profile import Native, Profile

USER: Final = 15_001
"""The user of the sidecar; no other container may have it, since its traffic is not redirected."""

INBOUND_PORT: Final = 15_006
OUTBOUND_PORT: Final = 15_001
HTTP_PORT: Final = 15_090
FIRST_FURTHER_PORT: Final = 15_100
"""Where the second port of a pod is reached; each further one has the next."""

OWN_PORTS: Final = range(15_000, 15_200)
"""What the sidecar may listen on; the application's ports lie elsewhere."""

PLACES: Final = (INBOUND_PORT, *range(FIRST_FURTHER_PORT, OWN_PORTS.stop))
"""Where it listens for the ports of a pod that redirects nothing, one for each."""

AUDIENCE: Final = "breakwater.dev"
"""Whom the tokens of sidecars are for; no other server takes them."""

PATIENCE_SECONDS: Final = 30
"""How long a sidecar waits for a first configuration where the Mesh lets everything pass then."""

_NATIVE_SINCE: Final = 29


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`minor` is the N of Kubernetes 1.N; `root_namespace` is that of the control plane, never injected.

    Sidecars find the trust roots of the control plane at `controlplane` in the ConfigMap `ca_config_map` of
    their own namespace. `passes_through` is what the Mesh says of one that never had a configuration, and
    cannot read there.
    """

    sidecar_image: str
    capture_image: str
    controlplane: str
    minor: int
    root_namespace: str = "breakwater-system"
    ca_config_map: str = "breakwater-ca"
    audience: str = AUDIENCE
    passes_through: bool = False

    def is_native(self, profile: Profile) -> bool:
        """Whether the sidecar becomes a native one, which starts before the application and ends after it."""
        known = self.minor >= _NATIVE_SINCE
        return profile.native is Native.ALWAYS or (profile.native is Native.AUTO and known)
