"""The sidecar of a pod that was injected, run as a process with the arguments that the pod has for it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from controlplane.injector.names import STATUS
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.pods import bound_token
from tests.support.mesh import SIDECAR, Sidecar
from tests.support.ports import free_ports
from tests.support.process import Process


@asynccontextmanager
async def injected_sidecar(
    server: ApiServer, pod: Mapping[str, Any], *, discovery: int, app_port: int, roots: Path
) -> AsyncIterator[Sidecar]:
    """Run it beside the application on `app_port`; what it mounts lies beside the file of `roots`.

    Its ports are others, and on loopback: the pod, which must be in the cluster, is annotated with them.
    """
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    scratch = roots.parent / name
    await asyncio.to_thread(_write, scratch, await bound_token(server, namespace, name))
    inbound, outbound, http = free_ports(3)
    listeners = json.dumps(
        json.loads(pod["metadata"]["annotations"][STATUS]) | {"listeners": {"8080": inbound}}
    )
    await server.kubectl("annotate", "pod", name, "-n", namespace, "--overwrite", f"{STATUS}={listeners}")
    here = {
        "$(POD_NAMESPACE)": namespace,
        "$(POD_NAME)": name,
        "$(POD_SERVICE_ACCOUNT)": pod["spec"]["serviceAccountName"],
        "/var/run/secrets/breakwater.dev/ca.crt": str(roots),
        "/var/run/secrets/breakwater.dev/token": str(scratch / "token"),
        "/var/lib/breakwater": str(scratch / "state"),
        "[::]:15006": f"127.0.0.1:{inbound}",
        "@15006": f"@{inbound}",
        "127.0.0.1:15001": f"127.0.0.1:{outbound}",
        "[::]:15090": f"127.0.0.1:{http}",
        "127.0.0.1:8080": f"127.0.0.1:{app_port}",
    }
    [container] = [one for one in pod["spec"]["initContainers"] if one["name"] == "breakwater-sidecar"]
    words = [_replaced(word, here) for word in container["args"]]
    words = [
        f"--controlplane=localhost:{discovery}" if word.startswith("--controlplane=") else word
        for word in words
    ]
    async with Process((sys.executable, *SIDECAR, *words), log=scratch / "sidecar.log") as process:
        yield Sidecar(process=process, inbound=inbound, outbound=outbound, http=http, state=scratch / "state")


def _write(scratch: Path, token: str) -> None:
    scratch.mkdir()
    (scratch / "token").write_text(token)


def _replaced(word: str, here: Mapping[str, str]) -> str:
    for text, other in here.items():
        word = word.replace(text, other)
    return word
