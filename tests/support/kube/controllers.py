"""The controllers of Kubernetes itself: default service accounts, namespaces that end, slices of services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.kube.apiserver import ApiServer
from tests.support.kube.tools import tool
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.readiness import listening

READY_TIMEOUT_SECONDS = 60


@asynccontextmanager
async def controllers(server: ApiServer, *names: str) -> AsyncIterator[Process]:
    """Run a kube-controller-manager beside a server, with the controllers named or, without names, with all.

    The names are those of its own `--help`, such as `serviceaccount-controller`.
    """
    await asyncio.to_thread(tool, "kube-controller-manager")
    port = free_port()
    command = (
        tool("kube-controller-manager"),
        *(f"--kubeconfig={server.kubeconfig}", f"--cert-dir={server.folder}", "--leader-elect=false"),
        *("--bind-address=127.0.0.1", f"--secure-port={port}", f"--root-ca-file={server.credentials.ca}"),
        f"--service-account-private-key-file={server.credentials.service_accounts.key}",
        f"--controllers={','.join(names) or '*'}",
    )
    log = server.folder / f"kube-controller-manager-{port}.log"
    async with Process(command, log=log) as process:
        await process.ready(listening(port), timeout_seconds=READY_TIMEOUT_SECONDS)
        yield process
