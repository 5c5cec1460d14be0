"""What an account did, as the API server's audit log has it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_RULE = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{{level: Metadata, users: [{users}]}}]
"""
FORBIDDEN = 403


def audit_flags(folder: Path, namespace: str, *accounts: str) -> tuple[str, ...]:
    """Return the flags of an API server that notes what service accounts do, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "audit-policy.yaml"
    users = ", ".join(f'"system:serviceaccount:{namespace}:{account}"' for account in accounts)
    policy.write_text(_RULE.format(users=users))
    return (f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}")


def audited(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Yield every request that was noted."""
    return (json.loads(line) for line in (folder / "audit.log").read_text().splitlines())


def refused(folder: Path) -> list[str]:
    """Return what the accounts asked for and may not do."""
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in audited(folder)
        if event.get("responseStatus", {}).get("code") == FORBIDDEN
    ]
