"""Writes what is generated into the chart."""

from tests.support.charts.files import rewrite

rewrite()
