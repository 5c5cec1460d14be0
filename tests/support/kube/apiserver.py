"""A real kube-apiserver on loopback, with an etcd of its own.

Role-based access, service account tokens, TokenReview, Pod Security and both kinds of admission webhooks work
as in any cluster. There are no nodes: pods are admitted and stay pending.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.command import output_of
from tests.support.etcd import one_member
from tests.support.kube.credentials import ADMIN_TOKEN, Credentials, make_credentials, write_kubeconfig
from tests.support.kube.requests import Requests
from tests.support.kube.tools import KubectlError, tool
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.readiness import until

READY_TIMEOUT_SECONDS = 60
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60)
ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE_ADDRESSES = "10.96.0.0/16,fd00:10:96::/112"
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """A running API server: where it is, and what its administrator does with kubectl."""

    url: str
    folder: Path
    credentials: Credentials
    kubeconfig: Path
    process: Process
    requests: Requests

    async def is_ready(self) -> bool:
        """Return whether it says that it can serve."""
        return await self._answers("readyz")

    async def has_namespaces(self) -> bool:
        """Return whether it has made the namespaces that every cluster has, a moment after it is ready."""
        return await self._answers("api/v1/namespaces/default")

    async def kubectl(self, *words: str, text: str = "", kubeconfig: Path | None = None) -> str:
        """Return what kubectl prints, as the administrator unless another kubeconfig is given.

        Raises:
            KubectlError: It failed.
        """
        who = f"--kubeconfig={kubeconfig or self.kubeconfig}"
        cache = f"--cache-dir={self.folder / 'discovery'}"
        return await output_of((tool("kubectl"), who, cache, *words), failure=KubectlError, text=text)

    async def get(self, *words: str) -> dict[str, Any]:
        """Return what `kubectl get` finds, as JSON.

        Raises:
            KubectlError: There is no such thing.
        """
        found: dict[str, Any] = json.loads(await self.kubectl("get", "-o", "json", *words))
        return found

    async def read(self, path: str) -> dict[str, Any]:
        """Return what the API has at a path; a small part of what kubectl costs, for conditions.

        Raises:
            KubectlError: There is no such thing.
        """
        return await asyncio.to_thread(self.requests.read, path)

    async def apply(self, *documents: Document, dry_run: bool = False) -> None:
        """Apply documents on the server's side; with `dry_run`, everything but the storing happens.

        Raises:
            KubectlError: One was refused.
        """
        await asyncio.to_thread(self.requests.apply, documents, dry_run=dry_run)

    async def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """Create a namespace with its default service account, which pods need and nobody else makes here."""
        meta = {"name": name, "labels": dict(labels or {})}
        await self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        account = {"name": "default", "namespace": name}
        await self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})

    async def token(self, namespace: str, account: str, *words: str) -> str:
        """Return a new token of a service account; words such as `--audience=NAME` bind it further."""
        return (await self.kubectl("create", "token", account, f"--namespace={namespace}", *words)).strip()

    def kubeconfig_with(self, token: str, *, name: str, namespace: str = "default") -> Path:
        """Return the path of a kubeconfig that carries another token, of a service account perhaps."""
        path = self.folder / f"{name}.kubeconfig"
        return write_kubeconfig(path, url=self.url, ca=self.credentials.ca, token=token, namespace=namespace)

    def session(self, token: str = ADMIN_TOKEN) -> aiohttp.ClientSession:
        """Return a new session for requests of the plain API, as the administrator unless told."""
        trusted = ssl.create_default_context(cafile=str(self.credentials.ca))
        return aiohttp.ClientSession(
            self.url,
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(ssl=trusted),
            timeout=REQUEST_TIMEOUT,
        )

    async def _answers(self, path: str) -> bool:
        try:
            async with self.session() as session, session.get(f"/{path}") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


@asynccontextmanager
async def api_server(folder: Path, *extra: str) -> AsyncIterator[ApiServer]:
    """Run a kube-apiserver, ready to serve, with its files and those of its etcd in `folder`.

    `extra` flags are added to those that we give.
    """
    async with one_member(folder / "etcd") as etcd:
        server = await asyncio.to_thread(_server, folder, f"http://{etcd.endpoint}", extra)
        async with server.process:
            await server.process.ready(server.is_ready, timeout_seconds=READY_TIMEOUT_SECONDS)
            await until(server.has_namespaces, timeout_seconds=READY_TIMEOUT_SECONDS)
            await server.create_namespace("default")
            yield server


def _server(folder: Path, etcd: str, extra: tuple[str, ...]) -> ApiServer:
    program = tool("kube-apiserver")  # before a port is chosen: a build takes long enough to lose it
    credentials, port = make_credentials(folder), free_port()
    url = f"https://127.0.0.1:{port}"
    command = (
        str(program),
        *(f"--etcd-servers={etcd}", f"--cert-dir={folder}", *credentials.flags()),
        *(
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            "--endpoint-reconciler-type=none",
        ),
        *("--authorization-mode=RBAC", f"--service-account-issuer={ISSUER}"),
        *(f"--service-cluster-ip-range={SERVICE_ADDRESSES}", "--allow-privileged=true"),
        *extra,
    )
    return ApiServer(
        url=url,
        folder=folder,
        credentials=credentials,
        kubeconfig=write_kubeconfig(
            folder / "admin.kubeconfig", url=url, ca=credentials.ca, token=ADMIN_TOKEN
        ),
        process=Process(command, log=folder / "kube-apiserver.log"),
        requests=Requests(url=url, ca=credentials.ca, token=ADMIN_TOKEN),
    )
