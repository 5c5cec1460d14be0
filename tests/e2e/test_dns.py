"""The name server of an external service fails in every way: what was known is kept, and nobody floods it."""

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.dns import SILENCE, Addresses, Answer, Refusal, ScriptedDns
from tests.support.documents import resolved_service
from tests.support.faults.judge import Judge
from tests.support.faults.trial import trial
from tests.support.load import getting, offering
from tests.support.readiness import answering, until

HOST = "api.bank.example"
GOOD = Addresses(("127.0.0.1",), ttl=0)
MODES: dict[str, Answer] = {
    "TTL 0": GOOD,
    "SERVFAIL": Refusal.SERVFAIL,
    "NXDOMAIN": Refusal.NXDOMAIN,
    "empty": Refusal.EMPTY,
    "silent": SILENCE,
    "4 s late": Addresses(("127.0.0.1",), ttl=0, after_seconds=4),
}
MODE_SECONDS = 12
CALLS_PER_SECOND = 50
QUESTIONS_PER_SECOND = 2


@pytest.mark.fault("F31 name server fails")
@pytest.mark.timeout(240)
async def test_known_addresses_outlive_their_name_server(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running, ScriptedDns({HOST: GOOD}) as dns, AsyncExitStack() as stack:
        stand, port = running.stand, running.stand.workloads[0].app.port
        caller = await stand.join(stack, "caller", "caller", port, prefix=dns.prefix(tmp_path))
        await stand.apply(resolved_service("bank", port, HOST))
        await until(answering(caller.outbound, host="bank"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        call = getting(session, f"http://127.0.0.1:{caller.outbound}/", host="bank")
        for name, answer in MODES.items():
            dns.answers[HOST] = answer
            before = dns.asked(HOST)
            async with offering(call, rate_per_second=CALLS_PER_SECOND) as report:
                await running.traffic.more(MODE_SECONDS)
            told = f"{report.succeeded} of {report.offered} calls well"
            judge.expect(f"{name}: 0 failed", told, held=report.succeeded == report.offered > 0)
            rate = (dns.asked(HOST) - before) / MODE_SECONDS
            judge.at_most(f"{name}: questions", rate, QUESTIONS_PER_SECOND, "a second")
        running.judges_counts = False  # the bank is an instance of `steady`, past its sidecar
