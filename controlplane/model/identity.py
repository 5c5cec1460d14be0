"""Who a caller is, as the cluster vouches for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A pod, by the token that was made for it and for us alone."""

    namespace: str
    service_account: str
    pod: str

    @property
    def instance(self) -> str:
        """What the sidecar of the pod is called in the mesh."""
        return f"{self.pod}.{self.namespace}"

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.pod}"
