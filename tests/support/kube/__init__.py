"""A real Kubernetes API without nodes: kube-apiserver, controllers where a test needs them, kubectl."""

from tests.support.kube.apiserver import ApiServer, api_server
from tests.support.kube.controllers import controllers
from tests.support.kube.credentials import ADMIN_TOKEN, Credentials
from tests.support.kube.tools import KubectlError, tool

__all__ = ["ADMIN_TOKEN", "ApiServer", "Credentials", "KubectlError", "api_server", "controllers", "tool"]
