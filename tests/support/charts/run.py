"""The control plane of an installed chart, run as a process: its arguments, its files, its account."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.charts.render import CHART, NAMESPACE, find, rendered
from tests.support.command import output_of
from tests.support.commandline import CODE
from tests.support.helm import HelmError
from tests.support.kube import ApiServer
from tests.support.mesh import ControlPlane
from tests.support.ports import free_ports
from tests.support.process import Process

NAME = "breakwater-controlplane"
ROOTS = Path("ca.crt")
PORTS = {"--listen": 15010, "--admin": 15020, "--http": 15014, "--webhook": 15017}


@asynccontextmanager
async def deployed(server: ApiServer, scratch: Path, name: str = NAME) -> AsyncIterator[ControlPlane]:
    """Run what the Deployment says, as its service account; what it mounts lies in `scratch` instead.

    Its ports are others, and on loopback. Who vouches for it is in the file `ROOTS` of `scratch`.
    """
    pod = (await server.get("deployment", name, f"--namespace={NAMESPACE}"))["spec"]["template"]["spec"]
    container = await _mounted(server, pod, scratch)
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    words = [_here(word, scratch, ports) for word in container["args"]]
    await _lead_here(server, _value(words, "--webhook-configurations"), ports["--webhook"])
    token = await server.token(NAMESPACE, pod["serviceAccountName"])
    account = server.kubeconfig_with(token, name=name, namespace=NAMESPACE)
    command = (sys.executable, "-m", "controlplane", *words)
    log, environment = scratch / "controlplane.log", {"KUBECONFIG": str(account)}
    async with Process(command, log=log, environment=environment) as process:
        plane = ControlPlane(
            process=process, discovery=ports["--listen"], admin=ports["--admin"], http=ports["--http"]
        )
        await plane.ready()
        revision = _value(words, "--revision")
        published = f"breakwater-ca-{revision}" if revision else "breakwater-ca"
        roots = await server.get("configmap", published, f"--namespace={NAMESPACE}")
        await asyncio.to_thread((scratch / ROOTS).write_text, roots["data"]["ca.crt"])
        yield plane


async def checked(server: ApiServer, plane: ControlPlane, scratch: Path) -> list[Mapping[str, str]]:
    """Return what the release's own test finds, run as its pod says.

    Raises:
        HelmError: Something is wrong.
    """
    pod = find(await rendered(CHART), "Pod")["spec"]
    container = await _mounted(server, pod, scratch)
    told = {each["name"]: each["value"].replace("/etc/", f"{scratch}/etc/") for each in container["env"]}
    environment = {**os.environ, **told, "BREAKWATER_ADMIN": f"127.0.0.1:{plane.admin}"}
    assert container["command"] == ["breakwater"]
    command = (sys.executable, "-c", CODE, *container["args"])
    found: dict[str, Any] = json.loads(await output_of(command, failure=HelmError, environment=environment))
    findings: list[Mapping[str, str]] = found["items"]
    return findings


async def _lead_here(server: ApiServer, configurations: str, port: int) -> None:
    """Have the API server ask the webhooks on this machine, since it reaches no Service of the cluster."""
    for name in configurations.split(","):
        kind = (
            "mutatingwebhookconfiguration" if name.endswith("injector") else "validatingwebhookconfiguration"
        )
        webhooks = (await server.get(kind, name))["webhooks"]
        paths = [webhook["clientConfig"]["service"]["path"] for webhook in webhooks]
        patch = [
            {
                "op": "replace",
                "path": f"/webhooks/{index}/clientConfig",
                "value": {"url": f"https://127.0.0.1:{port}{path}"},
            }
            for index, path in enumerate(paths)
        ]
        await server.kubectl("patch", kind, name, "--type=json", f"-p={json.dumps(patch)}")


async def _mounted(server: ApiServer, pod: Mapping[str, Any], scratch: Path) -> Mapping[str, Any]:
    """Return the one container of a pod, once what it mounts lies in `scratch`."""
    [container] = pod["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for volume in pod["volumes"]:
        place = scratch / places[volume["name"]].lstrip("/")
        await asyncio.to_thread(_write, place, await _content(server, volume))
    return dict(container)


async def _content(server: ApiServer, volume: Mapping[str, Any]) -> Mapping[str, bytes]:
    if "configMap" in volume:
        found = await server.get("configmap", volume["configMap"]["name"], f"--namespace={NAMESPACE}")
        return {name: text.encode() for name, text in found["data"].items()}
    if "secret" in volume:
        found = await server.get("secret", volume["secret"]["secretName"], f"--namespace={NAMESPACE}")
        return {name: base64.b64decode(content) for name, content in found["data"].items()}
    return {}


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content)


def _value(words: Iterable[str], flag: str) -> str:
    """Return what an argument gives; nothing if it is not there."""
    return next((word.partition("=")[2] for word in words if word.partition("=")[0] == flag), "")


def _here(word: str, scratch: Path, ports: dict[str, int]) -> str:
    """Return an argument with its place on this machine."""
    name = word.partition("=")[0]
    if name in ports:
        return f"{name}=127.0.0.1:{ports[name]}"
    return word.replace("=/", f"={scratch}/").replace("sqlite:/", f"sqlite:{scratch}/")
