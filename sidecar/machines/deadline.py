"""Deadlines: what is left of one, and the fields that carry it."""

from sidecar._core import Deadline, encode_grpc_timeout, fix_deadline, parse_deadline_ms, parse_grpc_timeout

__all__ = ["Deadline", "encode_grpc_timeout", "fix_deadline", "parse_deadline_ms", "parse_grpc_timeout"]
