"""How the command line gets to a control plane and is let in: whom it trusts, and what it shows itself.

An address that is given is asked. Without one it is the admin port on this machine if anything listens there,
else the control plane of the kubeconfig's cluster. What is said before the verb is kept in the environment.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc

from controlplane.cli.errors import ClusterError, UnreachableError, UsageError
from registry.config import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controlplane.cli.tunnel import Tunnel
    from controlplane.config import Cluster

CA = "BREAKWATER_ADMIN_CA"
TOKEN_FILE = "BREAKWATER_ADMIN_TOKEN_FILE"  # noqa: S105  # the name of a variable with the name of a file
CERTIFICATE = "BREAKWATER_ADMIN_CERT"
KEY = "BREAKWATER_ADMIN_KEY"
CONTEXT = "BREAKWATER_CONTEXT"
KUBECONFIG = "BREAKWATER_KUBECONFIG"
HERE: Final = "127.0.0.1:15020"
"""Where a control plane on this machine is asked."""

_OPTIONS = (("grpc.max_receive_message_length", -1),)  # the server's own bound is enough
_KNOCK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A way to a control plane, and what messages call the place; through a cluster by a `tunnel`."""

    place: str
    channel: grpc.Channel
    tunnel: Tunnel | None = None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what goes with every call.

        Raises:
            UsageError: the file of the token cannot be read.
        """
        token = self.tunnel.found.token if self.tunnel and not os.environ.get(TOKEN_FILE) else _token()
        return (("authorization", f"Bearer {token}"),) if token else ()

    def unanswered(self, cause: str) -> UnreachableError:
        """Return what ends a command that nothing answered."""
        if self.tunnel is None:
            return UnreachableError(self.place, cause)
        return ClusterError(
            f"no answer from {self.place} ({self.tunnel.failure or cause})\n"
            "its log may say why: `kubectl -n NAMESPACE logs POD`; --admin HOST:PORT goes past the cluster"
        )

    def close(self) -> None:
        """End the connection, and the way."""
        self.channel.close()
        if self.tunnel:
            self.tunnel.close()


def remember(values: Mapping[str, str]) -> None:
    """Keep settings by the name of their variable; what is started from here has them as well."""
    os.environ.update({variable: value for variable, value in values.items() if value})


def reach(address: str) -> Access:
    """Return the way to the control plane at an address, or to the one that is meant without one.

    Raises:
        UsageError: a file cannot be read, or a token would leave this machine in plain text.
        ClusterError: the kubeconfig leads to no control plane.
    """
    cluster = None if address else _cluster()
    if cluster is None:
        return Access(place=address or HERE, channel=_straight(address or HERE))
    return _through(cluster)


def kubeconfig() -> Cluster:
    """Return the cluster that the kubeconfig names."""
    from controlplane.config import Cluster  # noqa: PLC0415  # a quarter of a second, for who needs it

    named = os.environ.get(KUBECONFIG) or os.environ.get("KUBECONFIG") or str(_usual_kubeconfig())
    return Cluster(kubeconfig=named, context=os.environ.get(CONTEXT, ""))


def _cluster() -> Cluster | None:
    """The cluster to go through, unless the control plane is on this machine."""
    if os.environ.get(KUBECONFIG) or os.environ.get(CONTEXT):
        return kubeconfig()
    is_known = os.environ.get("KUBECONFIG") or _usual_kubeconfig().exists()
    return kubeconfig() if is_known and not _is_here() else None


def _usual_kubeconfig() -> Path:
    return Path.home() / ".kube" / "config"


def _is_here() -> bool:
    host, _, port = HERE.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS):
            return True
    except OSError:
        return False


def _through(cluster: Cluster) -> Access:
    try:
        from controlplane.cli.tunnel import Tunnel  # noqa: PLC0415  # a second, for who needs it
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"the cluster of a kubeconfig is asked with further packages ({error})\n"
            "install them with `pip install 'breakwater[kubernetes]'`, or give --admin HOST:PORT"
        ) from error
    tunnel = Tunnel(cluster, needs_token=not os.environ.get(TOKEN_FILE))
    found, target = tunnel.found, f"unix:{tunnel.socket}"
    place = f"pod {found.place.namespace}/{found.place.pod}"
    if not found.roots:
        return Access(place=place, channel=grpc.insecure_channel(target, options=_OPTIONS), tunnel=tunnel)
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", found.name))
    channel = grpc.secure_channel(target, _credentials(found.roots), options=options)
    return Access(place=place, channel=channel, tunnel=tunnel)


def _straight(address: str) -> grpc.Channel:
    """A connection that is made when it is needed, encrypted when it is known whom to trust."""
    ca = os.environ.get(CA, "")
    if ca:
        return grpc.secure_channel(address, _credentials(_read(ca)), options=_OPTIONS)
    if os.environ.get(TOKEN_FILE) and not is_loopback(address.rpartition(":")[0].strip("[]")):
        raise UsageError("a token leaves this machine over TLS alone; say whom to trust with --admin-ca FILE")
    return grpc.insecure_channel(address, options=_OPTIONS)


def _credentials(roots: bytes) -> grpc.ChannelCredentials:
    """What encrypts, and shows the certificate of who asks, if one is given."""
    certificate, key = os.environ.get(CERTIFICATE, ""), os.environ.get(KEY, "")
    if bool(certificate) != bool(key):
        raise UsageError("a certificate goes with its key; give both --admin-cert FILE and --admin-key FILE")
    if not certificate:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, _read(key), _read(certificate))


def _token() -> str:
    path = os.environ.get(TOKEN_FILE, "")
    return _read(path).decode().strip() if path else ""


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
