"""Rests between attempts to find a control plane."""

from sidecar._core import Reconnect

__all__ = ["Reconnect"]
