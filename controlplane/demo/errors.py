"""What can end the demo before its time.

DemoError    a process ended or a condition never held; the message says which, and where to look
"""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on."""
