"""What a metrics page says."""

from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.readiness import Condition


@dataclass(frozen=True, slots=True)
class Metrics:
    """The samples of one page."""

    samples: tuple[Sample, ...]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have all these labels; zero without any."""
        wanted = labels.items()
        return sum(one.value for one in self.samples if one.name == name and wanted <= one.labels.items())


async def scrape(port: int) -> Metrics:
    """Return the metrics page of a program on loopback."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        page = await answer.text()
    return Metrics(tuple(one for family in text_string_to_metric_families(page) for one in family.samples))


def measured(port: int, name: str, expected: float, **labels: str) -> Condition:
    """Return the condition that the samples with these labels add up to what is expected."""

    async def holds() -> bool:
        return (await scrape(port)).total(name, **labels) == expected

    return holds
