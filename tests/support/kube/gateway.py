"""The kinds of the Gateway API that the mesh reads, as its project defines them for every cluster."""

from tests.support.gotools import GATEWAY, built
from tests.support.kube.apiserver import ApiServer


async def install_gateway_kinds(server: ApiServer) -> None:
    """Define the kinds, and wait until each is served."""
    folder = built(GATEWAY)
    await server.kubectl("apply", "--server-side", f"--filename={folder}")
    names = (f"crd/{file.stem}.gateway.networking.k8s.io" for file in folder.iterdir())
    await server.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
