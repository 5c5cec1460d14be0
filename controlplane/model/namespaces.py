"""The namespaces that a cluster has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Namespaces: TypeAlias = Mapping[str, frozenset[str]]
"""Name of each namespace to those of its service accounts."""
