"""The report of wrk becomes figures."""

import pytest

from tests.bench.load import LoadResult, parse_wrk

REPORT = """Running 3s test @ http://127.0.0.1:18080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   703.21us  180.12us   9.47ms   92.01%
    Req/Sec    80.10k     1.02k   82.00k    66.67%
  Latency Distribution
     50%  672.00us
     75%    1.10ms
     90%    1.20ms
     99%    1.51s
  239120 requests in 3.00s, 260.12MB read
Requests/sec:  79690.11
Transfer/sec:     86.69MB
"""


def test_a_clean_report_gives_every_figure_in_its_unit() -> None:
    assert parse_wrk(REPORT) == LoadResult(
        requests=239120, errors=0, requests_per_second=79690.11, p50_us=672.0, p99_us=1_510_000.0
    )


def test_refused_answers_and_socket_errors_are_added_up() -> None:
    failures = (
        "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\n"
    )
    assert parse_wrk(REPORT.replace("Requests/sec", failures + "Requests/sec")).errors == 54321


def test_a_report_without_figures_is_refused_with_what_was_found() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")
