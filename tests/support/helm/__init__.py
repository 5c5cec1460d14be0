"""A real Helm, with a home of its own."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.command import output_of
from tests.support.gotools import HELM, built


class HelmError(Exception):
    """Helm refused; the message is what it said."""


@cache
def program() -> Path:
    """Return the path of `helm`, built when it has to be.

    Raises:
        GoToolsError: It cannot be built here.
    """
    return built(HELM) / "helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """Helm at work: its folder for what it keeps, and the kubeconfig of the cluster it may change."""

    home: Path
    kubeconfig: Path | None = None

    async def __call__(self, *words: str | Path) -> str:
        """Return what it prints.

        Raises:
            HelmError: It failed.
        """
        folders = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        cluster = {"KUBECONFIG": str(self.kubeconfig or os.devnull)}
        environment = {**os.environ, **folders, **cluster}
        return await output_of((program(), *words), failure=HelmError, environment=environment)
