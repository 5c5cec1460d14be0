"""Cases for the alerts, as promtool reads them: an hour that is good, bad minutes, and good ones again.

Every alert fires while it is bad, and rests before and after.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from tests.support.charts.files import CHART

ALERTS: Final = CHART / "files" / "alerts.yaml"
CALM_MINUTES: Final = 70
BAD_MINUTES: Final = 25
AFTER_MINUTES: Final = 90
Series: TypeAlias = Mapping[str, str]
ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Case:
    """An alert, which of its severities, and what is measured."""

    alert: str
    series: Series
    severity: str = "warning"


def counter(calm: int, bad: int) -> str:
    """A counter that rises by this much each minute: while it is calm, then bad, then calm again."""
    values = []
    total = 0
    for step, minutes in ((calm, CALM_MINUTES), (bad, BAD_MINUTES), (calm, AFTER_MINUTES)):
        values.append(f"{total}+{step}x{minutes - 1}")
        total += step * minutes
    return " ".join(values)


def gauge(calm: str, bad: str) -> str:
    """A gauge that has these values."""
    parts = ((calm, CALM_MINUTES), (bad, BAD_MINUTES), (calm, AFTER_MINUTES))
    return " ".join(
        f"_x{minutes}" if value == ABSENT else f"{value}+0x{minutes - 1}" for value, minutes in parts
    )


def streams(**bad: int) -> Series:
    """Sidecars by state: 100 of them, all synced while it is calm."""
    states = ("synced", "stale", "rejected", "offline")
    calm = dict.fromkeys(states, 0) | {"synced": 100}
    worse = calm | bad | {"synced": 100 - sum(bad.values())}
    name = 'breakwater_controlplane_streams{{state="{}"}}'
    return {name.format(state): gauge(str(calm[state]), str(worse[state])) for state in states}


def requests(failed: int) -> Series:
    """600 requests a minute to a cart, of which some fail."""
    name = 'breakwater_requests_total{{direction="inbound", service="shop/cart", code_class="{}"}}'
    return {name.format("5xx"): counter(0, failed), name.format("2xx"): counter(600, 600 - failed)}


def latency() -> Series:
    """600 requests a minute, as fast as 50 ms or as slow as 1 s."""
    name = 'breakwater_request_duration_seconds_bucket{{direction="inbound", service="shop/cart", le="{}"}}'
    return {
        name.format("0.05"): counter(600, 0),
        name.format("1"): counter(600, 600),
        name.format("+Inf"): counter(600, 600),
    }


def webhook(issuer: str, *, calm: int, bad: int) -> Series:
    """The certificate of the webhooks, with so many days left."""
    name = f'breakwater_controlplane_certificate_expiry_seconds{{certificate="webhook", issuer="{issuer}"}}'
    return {name: gauge(str(calm * 86400), str(bad * 86400))}


CASES: Final = (
    Case("MeshErrorRateHigh", requests(60)),
    Case("MeshErrorRateHigh", requests(200), severity="critical"),
    Case(
        "MeshThrottleRateHigh",
        {
            'breakwater_ratelimit_decisions_total{policy="shop/cart", limit="a", result="allowed"}': counter(
                100, 80
            ),
            'breakwater_ratelimit_decisions_total{policy="shop/cart", limit="a", result="limited"}': counter(
                0, 20
            ),
        },
    ),
    Case("MeshProcessingLatencyRising", latency()),
    Case(
        "MeshQueueGrowing",
        {
            'breakwater_queue_depth{direction="inbound", service="shop/cart"}': gauge("0", "60"),
            'breakwater_queue_capacity{service="shop/cart"}': gauge("100", "100"),
            'breakwater_queue_growth{service="shop/cart"}': gauge("0", "2"),
        },
    ),
    Case(
        "MeshDropRate",
        {
            'breakwater_shed_total{service="shop/cart", priority="critical", reason="a"}': counter(0, 30),
            'breakwater_admitted_total{service="shop/cart", priority="critical"}': counter(600, 570),
        },
        severity="critical",
    ),
    Case("MeshBreakerOpen", {'breakwater_breaker_state{service="shop/cart", endpoint="a"}': gauge("0", "2")}),
    Case(
        "MeshBreakerFlapping",
        {'breakwater_breaker_transitions_total{service="shop/cart", endpoint="", to="open"}': counter(0, 2)},
    ),
    Case(
        "MeshRetryAmplification",
        {
            'breakwater_attempts_total{service="shop/cart", peer="shop/web", result="ok"}': counter(60, 120),
            'breakwater_requests_total{direction="outbound", service="shop/cart", code_class="2xx"}': counter(
                60, 60
            ),
        },
    ),
    Case(
        "MeshRetryBudgetExhausted", {'breakwater_retry_budget_balance{service="shop/cart"}': gauge("10", "0")}
    ),
    Case("MeshConfigRejected", streams(rejected=1), severity="critical"),
    Case("MeshConfigStale", streams(stale=5)),
    Case(
        "MeshSidecarsUnenforced",
        {'breakwater_config_unenforced{namespace="shop", pod="cart-0"}': gauge("0", "1")},
        severity="critical",
    ),
    Case("MeshSidecarsOffline", streams(offline=10)),
    Case(
        "MeshControlPlaneDown",
        {'breakwater_controlplane_policy_revision{pod="a"}': gauge("7", ABSENT)},
        severity="critical",
    ),
    Case("MeshWebhookCertExpiring", webhook("given", calm=30, bad=13)),
    Case("MeshWebhookCertExpiring", webhook("own", calm=4, bad=1)),
    Case(
        "MeshRegistryDegraded",
        {
            'breakwater_controlplane_registry_up{pod="a"}': gauge("1", "1"),
            'breakwater_controlplane_registry_up{pod="b"}': gauge("1", "0"),
        },
        severity="critical",
    ),
)


def alerts() -> Iterator[Mapping[str, Any]]:
    """Yield every rule that alerts."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return (rule for group in groups for rule in group["rules"] if "alert" in rule)


def expressions() -> tuple[str, ...]:
    """Return the expression of every rule."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return tuple(rule["expr"] for group in groups for rule in group["rules"])


def promtool_cases() -> Mapping[str, Any]:
    """Return the file of cases that promtool takes."""
    return {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [_test(case) for case in CASES],
    }


def _test(case: Case) -> Mapping[str, Any]:
    moments = (
        (CALM_MINUTES - 2, 0),
        (CALM_MINUTES + BAD_MINUTES - 2, 1),
        (CALM_MINUTES + BAD_MINUTES + 30, 0),
    )
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [_expected(case, minute, count) for minute, count in moments],
    }


def _expected(case: Case, minute: int, count: int) -> Mapping[str, Any]:
    chosen = f'alertname="{case.alert}", severity="{case.severity}", alertstate="firing"'
    found = [{"labels": f'{{alertname="{case.alert}"}}', "value": count}] if count else []
    return {
        "expr": f"count by (alertname) (ALERTS{{{chosen}}})",
        "eval_time": f"{minute}m",
        "exp_samples": found,
    }
