"""The definitions on an API server, as their chart renders them."""

from tests.support.charts.render import CHARTS, rendered
from tests.support.kube import ApiServer


async def install_definitions(server: ApiServer) -> None:
    """Apply every definition, and wait until each is served."""
    documents = await rendered(CHARTS / "breakwater-crds")
    await server.apply(*documents)
    names = (f"crd/{document['metadata']['name']}" for document in documents)
    await server.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
