"""The definitions on an API server, as their chart renders them."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.helm import Helm
from tests.support.kube import ApiServer
from tests.support.reference import ROOT

CHART = ROOT / "charts" / "breakwater-crds"


async def rendered(chart: Path, *words: str | Path) -> tuple[dict[str, Any], ...]:
    """Return what a chart renders, without a cluster."""
    text = await Helm(home=ROOT / "build" / "helm")("template", "breakwater", chart, *words)
    return tuple(document for document in yaml.safe_load_all(text) if document)


async def install_definitions(server: ApiServer) -> None:
    """Apply every definition, and wait until each is served."""
    documents = await rendered(CHART)
    await server.apply(*documents)
    names = (f"crd/{document['metadata']['name']}" for document in documents)
    await server.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
