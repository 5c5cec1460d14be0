"""The chart as Helm renders it, without a cluster."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tests.support.helm import Helm
from tests.support.reference import ROOT

CHARTS: Final = ROOT / "charts"
CHART: Final = CHARTS / "breakwater"
NAMESPACE: Final = "breakwater-system"
VALUES: Final = tuple(sorted(CHART.glob("values*.yaml")))
Object: TypeAlias = Mapping[str, Any]


async def rendered(chart: Path, *words: str | Path) -> tuple[Object, ...]:
    """Return what a chart renders as the release `breakwater`.

    Raises:
        HelmError: The values are refused.
    """
    where = ("template", "breakwater", chart, f"--namespace={NAMESPACE}")
    text = await Helm(home=ROOT / "build" / "helm")(*where, *words)
    return tuple(document for document in yaml.safe_load_all(text) if document)


def find(objects: Iterable[Object], kind: str, name: str = "") -> Object:
    """Return the one object of a kind, and of a name if one is given.

    Raises:
        ValueError: There is none, or several.
    """
    [found] = [each for each in objects if each["kind"] == kind and name in {"", each["metadata"]["name"]}]
    return found


def pods(objects: Iterable[Object]) -> Iterable[Object]:
    """Yield a pod for each workload, as its controller would make it."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each
        elif "template" in each.get("spec", {}):
            template = each["spec"]["template"]
            claims = each["spec"].get("volumeClaimTemplates", [])
            volumes = [
                {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "data"}}
                for claim in claims
            ]
            spec = {**template["spec"], "volumes": [*template["spec"].get("volumes", []), *volumes]}
            name = {"name": f"{each['metadata']['name']}-0", "namespace": each["metadata"]["namespace"]}
            metadata = {**template["metadata"], **name}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
