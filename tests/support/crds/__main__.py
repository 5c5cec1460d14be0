"""Writes the definitions into the chart."""

from tests.support.crds.files import rewrite

rewrite()
