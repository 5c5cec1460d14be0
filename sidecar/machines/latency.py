"""Latencies: histograms, and percentiles of what came lately."""

from sidecar._core import HISTOGRAM_BOUNDS_NS, Histogram, RecentLatency

__all__ = ["HISTOGRAM_BOUNDS_NS", "Histogram", "RecentLatency"]
