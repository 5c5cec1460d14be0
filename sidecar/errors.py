"""Errors of the sidecar's Python program.

SidecarError
├── CaptureError    rules of the system could not be changed
└── CoreError       the core could not start, or its worker ended
"""

from __future__ import annotations


class SidecarError(Exception):
    """Root of what the sidecar's program raises."""

    origin = "internal"
    retryable = False


class CoreError(SidecarError):
    """The core could not start, or its worker ended; a restart may help."""

    retryable = True


class CaptureError(SidecarError):
    """Rules of the system could not be changed; the message says what each program said."""
