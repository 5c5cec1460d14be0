"""Pods of a cluster without nodes, and tokens that are bound to them, or forged."""

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from controlplane.injector.template import AUDIENCE
from tests.support.kube.apiserver import ISSUER, ApiServer


def pod(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that nothing here will ever run; it passes Pod Security `restricted`."""
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    ports = [{"name": "http", "containerPort": 8080}]
    containers = [{"name": "app", "image": "app:1", "ports": ports, "securityContext": secure}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": containers, **spec},
    }


def annotated(found: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """Return a pod with annotations of ours, given without the prefix."""
    ours = {f"breakwater.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {**found, "metadata": {**found["metadata"], "annotations": ours}}


def labelled(found: dict[str, Any], inject: str) -> dict[str, Any]:
    """Return a pod that says whether it wants a sidecar."""
    return {**found, "metadata": {**found["metadata"], "labels": {"breakwater.dev/inject": inject}}}


async def bound_token(server: ApiServer, namespace: str, name: str, audience: str = AUDIENCE) -> str:
    """Return a token of the default account that is bound to a pod, which must be there."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={name}")
    return await server.token(namespace, "default", f"--audience={audience}", *bound)


def forged(token: str, key: bytes, **claims: object) -> str:
    """Return a token that says what `token` does but for `claims`, signed with another or the same key."""
    header, payload, _ = token.split(".")
    said: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    payload = _encoded(json.dumps({**said, **claims}).encode())
    private = serialization.load_pem_private_key(key, password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
    return f"{header}.{payload}.{_encoded(r.to_bytes(32) + s.to_bytes(32))}"


def expired(token: str, key: bytes) -> str:
    """Return the same token as of yesterday, properly signed."""
    yesterday = int(time.time()) - 86_400
    return forged(token, key, iat=yesterday, nbf=yesterday, exp=yesterday + 3_600)


def foreign(token: str, key: bytes) -> str:
    """Return the same token, as another cluster would sign it."""
    return forged(token, key, iss=f"{ISSUER}.elsewhere")


def new_key() -> bytes:
    """Return a key that no cluster knows."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
