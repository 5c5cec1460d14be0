"""What an API server and its clients show each other: certificates, tokens, keys, kubeconfig files."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from tests.support.pki import Authority, Leaf

ADMIN_TOKEN = "admin-of-the-tests"  # noqa: S105 (it opens a server on loopback that lives as long as a test run)
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Files in one folder: who signs, the server's leaf, the key of service account tokens, static tokens."""

    ca: Path
    server: Leaf
    admin: Leaf
    service_accounts: Leaf
    tokens: Path

    def flags(self) -> tuple[str, ...]:
        """Return the flags of the API server that say so."""
        return (
            f"--tls-cert-file={self.server.certificate}",
            f"--tls-private-key-file={self.server.key}",
            f"--client-ca-file={self.ca}",
            f"--token-auth-file={self.tokens}",
            f"--service-account-key-file={self.service_accounts.certificate}",
            f"--service-account-signing-key-file={self.service_accounts.key}",
        )


def make_credentials(folder: Path) -> Credentials:
    """Return credentials of a server on loopback, new ones."""
    authority = Authority(folder, name="kubernetes")
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{ADMIN_TOKEN},admin,admin,"{MASTERS}"\n')
    return Credentials(
        ca=authority.certificate,
        server=authority.leaf("kubernetes.default.svc"),
        admin=authority.leaf("admin", organization=MASTERS),
        service_accounts=authority.leaf("service-accounts"),
        tokens=tokens,
    )


def write_kubeconfig(path: Path, *, url: str, ca: Path, token: str, namespace: str = "default") -> Path:
    """Return the path of a kubeconfig, now written, that reaches a server with a bearer token."""
    certificate = base64.b64encode(ca.read_bytes()).decode()
    name = "breakwater"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": certificate}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    }
    path.write_text(json.dumps(content, indent=2))
    path.chmod(0o600)
    return path
