"""Alerts fire and rest, and everything that they and the dashboards name is measured."""

import re
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.support.caller import calling
from tests.support.charts import dashboards
from tests.support.charts.alerting import ALERTS, CASES, alerts, expressions, promtool_cases
from tests.support.charts.render import CHART, find, rendered
from tests.support.injection import injected
from tests.support.kube.pods import pod
from tests.support.promtool import judge

MONITORED = (
    "--set=monitoring.force=true",
    "--set=monitoring.prometheusRule.enabled=true",
    "--set=monitoring.serviceMonitor.enabled=true",
    "--set=monitoring.podMonitor.enabled=true",
    "--set=monitoring.dashboards.enabled=true",
)


def test_every_alert_fires_while_it_should_and_rests_before_and_after(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(yaml.safe_dump(dict(promtool_cases())))
    judge("test", "rules", cases)


def test_every_alert_has_a_case_and_says_where_to_look() -> None:
    rules = list(alerts())
    written = {(rule["alert"], rule["labels"]["severity"]) for rule in rules}
    assert written == {(case.alert, case.severity) for case in CASES}
    assert all(set(rule["annotations"]) == {"summary", "runbook"} for rule in rules)


async def test_every_metric_that_is_named_is_measured(tmp_path: Path) -> None:
    async with calling(tmp_path) as caller:
        url = f"http://127.0.0.1:{caller.fleet.plane.http}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            page = await answer.text()
    measured = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    text = " ".join((*expressions(), *dashboards.expressions()))
    named = {name.removesuffix("_bucket") for name in re.findall(r"\bbreakwater_[a-z0-9_]+", text)}
    assert named
    assert named <= measured


def sidecar_ports() -> list[dict[str, Any]]:
    sidecar = injected(pod("shop", "cart"))["spec"]["initContainers"][-1]
    found: list[dict[str, Any]] = sidecar["ports"]
    return found


async def test_the_rules_are_the_same_as_a_resource_and_as_a_file() -> None:
    objects = await rendered(CHART, *MONITORED)
    assert find(objects, "PrometheusRule")["spec"] == yaml.safe_load(ALERTS.read_text())
    assert find(objects, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "http"
    [endpoint] = find(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in sidecar_ports()}
    boards = [each for each in objects if each["kind"] == "ConfigMap"]
    assert len(boards) == len(dashboards.DASHBOARDS)
    assert all(board["metadata"]["labels"]["grafana_dashboard"] == "1" for board in boards)
