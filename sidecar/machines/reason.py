"""Why a sidecar refuses, and what each reason means to callers."""

from sidecar._core import REASONS, Reason, is_overload, may_succeed_elsewhere

__all__ = ["REASONS", "Reason", "is_overload", "may_succeed_elsewhere"]
