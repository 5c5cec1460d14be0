"""Trace context: the `traceparent` field, and which traces are recorded."""

from sidecar._core import encode_traceparent, is_trace_sampled, parse_traceparent

__all__ = ["encode_traceparent", "is_trace_sampled", "parse_traceparent"]
