"""What of the chart is generated; `python -m tests.support.charts` writes it."""

from tests.support.charts.files import CHART, files, rewrite

__all__ = ["CHART", "files", "rewrite"]
