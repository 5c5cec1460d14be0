"""Everybody who saw a request counts it: the client, both sidecars and the application."""

from dataclasses import dataclass

from tests.support.faults.stand import Stand
from tests.support.faults.traffic import Traffic
from tests.support.metrics import Metrics, scrape


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Requests of one route as clients and their sidecars count them; attempts as they and the others do."""

    client: int
    caller: int
    attempts: int
    callee: int
    application: int

    @property
    def agree(self) -> bool:
        """Whether nobody lost or invented one."""
        return self.client == self.caller and self.attempts == self.callee == self.application

    def __str__(self) -> str:
        requests = f"client {self.client}, caller {self.caller}"
        return f"{requests}; attempts {self.attempts}, callee {self.callee}, application {self.application}"


async def accounts(stand: Stand, traffic: Traffic, route: str) -> Accounts:
    """Return what everybody counted since the stand began; none of its sidecars may have restarted."""
    callers = [await scrape(client.http) for client in stand.clients]
    callees = [await scrape(workload.sidecar.http) for workload in stand.of(route)]
    answered = sum(report.statuses.total() for report in traffic.reports[route])
    probed = stand.probed[route]
    return Accounts(
        client=answered,
        caller=_requests(callers, route, "outbound"),
        attempts=round(
            sum(page.total("breakwater_attempts_total", service=f"test/{route}") for page in callers)
        ),
        callee=_requests(callees, route, "inbound") - probed,
        application=sum(workload.app.calls.total() for workload in stand.of(route)) - probed,
    )


def _requests(pages: list[Metrics], route: str, direction: str) -> int:
    wanted = {"service": f"test/{route}", "direction": direction}
    return round(sum(page.total("breakwater_requests_total", **wanted) for page in pages))
