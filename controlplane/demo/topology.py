"""What runs in the demo, and with which words it is started."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = "shop"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One demo service: its application and the sidecar beside it, by their ports on loopback."""

    name: str
    app: int
    inbound: int
    outbound: int
    http: int
    speaks_grpc: bool = False

    @property
    def host(self) -> str:
        """Return the name that others call it by."""
        return f"{self.name}.{NAMESPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Ports of the control plane on loopback."""

    listen: int
    admin: int
    http: int

    @property
    def admin_address(self) -> str:
        """Return what the command line's `--admin` takes."""
        return f"{HOST}:{self.admin}"


def control_plane_command(plane: ControlPlane, *, store: str, policies: Path) -> list[str]:
    """Return the command that starts the control plane on a store."""
    return [
        sys.executable, "-m", "controlplane",
        "--store", store,
        "--policies", str(policies),
        "--listen", f"{HOST}:{plane.listen}",
        "--admin", plane.admin_address,
        "--http", f"{HOST}:{plane.http}",
    ]  # fmt: skip


def app_command(member: Member) -> list[str]:
    """Return the command that starts the application of a member."""
    outbound = f"{HOST}:{member.outbound}"
    return [sys.executable, "-m", "controlplane.demo.apps", member.name, str(member.app), outbound]


def sidecar_command(member: Member, plane: ControlPlane, *, state: Path) -> list[str]:
    """Return the command that starts the sidecar of a member."""
    port_name = "grpc" if member.speaks_grpc else "http"
    return [
        sys.executable, "-m", "sidecar.main",
        "--service", f"{NAMESPACE}/{member.name}",
        "--instance", f"{member.name}-0",
        "--controlplane", f"{HOST}:{plane.listen}",
        "--app", f"{port_name}={HOST}:{member.app}",
        "--inbound", f"{HOST}:{member.inbound}",
        "--advertise", HOST,
        "--outbound", f"{HOST}:{member.outbound}",
        "--http", f"{HOST}:{member.http}",
        "--admin", f"unix:{state / 'admin.sock'}",
        "--state-dir", str(state),
    ]  # fmt: skip
