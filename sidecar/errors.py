"""Errors of the sidecar's Python program.

SidecarError
└── CoreError    the core could not start, or its worker ended
"""

from __future__ import annotations


class SidecarError(Exception):
    """Root of what the sidecar's program raises."""

    origin = "internal"
    retryable = False


class CoreError(SidecarError):
    """The core could not start, or its worker ended; a restart may help."""

    retryable = True
