"""Names that injection reads and leaves in pods."""

from typing import Final

PREFIX: Final = "breakwater.dev/"
INJECT_LABEL: Final = PREFIX + "inject"
"""On a namespace `enabled`, on a pod `true` or `false`."""

STATUS: Final = PREFIX + "status"
PROFILE: Final = PREFIX + "profile"
DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"

SIDECAR: Final = "breakwater-sidecar"
CAPTURE: Final = "breakwater-capture"
IDENTITY_VOLUME: Final = "breakwater-identity"
STATE_VOLUME: Final = "breakwater-state"
VOLUMES: Final = (IDENTITY_VOLUME, STATE_VOLUME)
API_PLACE: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where the API server mounts a token for itself in every container that mounts nothing else there."""

SYSTEM_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease"})
