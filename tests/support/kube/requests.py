"""Requests of the plain API, made in a thread: they cost a small part of what kubectl does."""

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.support.kube.tools import KubectlError

_SECONDS = 60
_APPLY = "application/apply-patch+yaml"
_REFUSED = 400


@dataclass(kw_only=True)
class Requests:
    """Requests of the administrator; knows where kinds are, once the API server was asked about them."""

    url: str
    ca: Path
    token: str
    places: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)

    def read(self, path: str) -> dict[str, Any]:
        """Return what the API has at a path.

        Raises:
            KubectlError: There is no such thing.
        """
        status, found = self._ask("GET", path)
        if status >= _REFUSED:
            raise KubectlError(found["message"])
        return found

    def apply(self, documents: Iterable[Mapping[str, Any]], *, dry_run: bool) -> None:
        """Apply all documents that can be, on the server's side, as kubectl does.

        Raises:
            KubectlError: Some were refused, for these reasons.
        """
        query = {"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        answers = [
            self._ask("PATCH", f"{self._path(document)}?{urlencode(query)}", document)
            for document in documents
        ]
        refusals = [found["message"] for status, found in answers if status >= _REFUSED]
        if refusals:
            raise KubectlError("\n".join(refusals))

    def _path(self, document: Mapping[str, Any]) -> str:
        version, kind = document["apiVersion"], document["kind"]
        if (version, kind) not in self.places:
            self._discover(version)
        if (version, kind) not in self.places:
            raise KubectlError(f"no matches for kind {kind} in version {version}")
        plural, is_namespaced = self.places[version, kind]
        meta = document["metadata"]
        within = f"namespaces/{meta.get('namespace', 'default')}/" if is_namespaced else ""
        return f"{_root(version)}/{within}{plural}/{meta['name']}"

    def _discover(self, version: str) -> None:
        _, found = self._ask("GET", _root(version))
        for one in found.get("resources", ()):
            if "/" not in one["name"]:
                self.places[version, one["kind"]] = one["name"], one["namespaced"]

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        where = urlsplit(self.url)
        connection = HTTPSConnection(
            where.hostname or "", where.port, timeout=_SECONDS, context=self._trusted
        )
        headers = {"Authorization": f"Bearer {self.token}"}
        headers |= {"Content-Type": _APPLY} if body else {}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"
