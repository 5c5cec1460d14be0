"""The programs of Kubernetes."""

from functools import cache
from pathlib import Path

from tests.support.gotools import KUBE, built


class KubectlError(Exception):
    """kubectl refused; the message is what it said."""


@cache
def tool(name: str) -> Path:
    """Return the path of `kube-apiserver`, `kube-controller-manager` or `kubectl`, built when it has to be.

    Raises:
        GoToolsError: It cannot be built here.
    """
    return built(KUBE) / name
