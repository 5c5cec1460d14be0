"""Writes what is generated into the chart, and what it renders then."""

import asyncio

from tests.support.charts import golden
from tests.support.charts.files import rewrite

rewrite()
asyncio.run(golden.rewrite())
