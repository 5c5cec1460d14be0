"""The Grafana dashboards, as data: a title and an expression for each panel, laid out three in a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_WIDTH: Final = 8
_HEIGHT: Final = 8
_INBOUND: Final = 'direction="inbound"'
_FAILED: Final = 'code_class="5xx"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: its lines are an expression each, named by a label or a text."""

    title: str
    unit: str
    lines: Mapping[str, str]


def overview() -> dict[str, Any]:
    """Return the board of the whole mesh."""
    by = "sum by (service)"
    return _board(
        "overview",
        "Breakwater: overview",
        (
            Panel("Requests", "reqps", {"{{service}}": f"{by} (rate({_inbound()}[$__rate_interval]))"}),
            Panel(
                "Errors",
                "percentunit",
                {
                    "{{service}}": f"{by} (rate({_inbound(_FAILED)}[$__rate_interval]))"
                    f" / {by} (rate({_inbound()}[$__rate_interval]))"
                },
            ),
            Panel("p99", "s", {"{{service}}": _quantile(0.99, _INBOUND)}),
            Panel(
                "Refused by limits",
                "reqps",
                {
                    "{{policy}}": "sum by (policy)"
                    ' (rate(breakwater_ratelimit_decisions_total{result="limited"}[$__rate_interval]))'
                },
            ),
            Panel(
                "Open breakers",
                "short",
                {"{{service}}": "count by (service) (breakwater_breaker_state == 2)"},
            ),
            Panel(
                "Attempts for each request",
                "short",
                {
                    "{{service}}": f"{by} (rate(breakwater_attempts_total[$__rate_interval])) / {by} "
                    '(rate(breakwater_requests_total{direction="outbound"}[$__rate_interval]))'
                },
            ),
        ),
    )


def service() -> dict[str, Any]:
    """Return the board of one service."""
    mine = 'service="$service"'
    rate = "[$__rate_interval]"
    return _board(
        "service",
        "Breakwater: service",
        (
            Panel(
                "Requests by outcome",
                "reqps",
                {"{{code_class}} {{reason}}": f"sum by (code_class, reason) (rate({_inbound(mine)}{rate}))"},
            ),
            Panel(
                "Latency",
                "s",
                {f"p{round(q * 100)}": _quantile(q, f"{_INBOUND}, {mine}") for q in (0.5, 0.95, 0.99)},
            ),
            Panel("In flight", "short", {"{{direction}}": _sum("breakwater_inflight", mine, "direction")}),
            Panel(
                "Attempts by result",
                "reqps",
                {"{{result}}": f"sum by (result) (rate(breakwater_attempts_total{{{mine}}}{rate}))"},
            ),
            Panel(
                "Breakers by endpoint: 0 closed, 1 half-open, 2 open",
                "short",
                {"{{endpoint}}": f"max by (endpoint) (breakwater_breaker_state{{{mine}}})"},
            ),
            Panel("Endpoints", "short", {"{{state}}": _sum("breakwater_endpoints", mine, "state")}),
            Panel("Queue", "short", {"waiting": f"sum(breakwater_queue_depth{{{mine}}})"}),
            Panel("Bulkhead", "short", {"running": f"sum(breakwater_bulkhead_inflight{{{mine}}})"}),
            Panel(
                "Retry budget", "short", {"retries left": f"min(breakwater_retry_budget_balance{{{mine}}})"}
            ),
        ),
        variables=("service",),
    )


def control_plane() -> dict[str, Any]:
    """Return the board of the control plane."""
    ours = "breakwater_controlplane_"
    rate = "[$__rate_interval]"
    return _board(
        "controlplane",
        "Breakwater: control plane",
        (
            Panel("Sidecars", "short", {"{{state}}": f"sum by (state) ({ours}streams)"}),
            Panel(
                "Answers of sidecars",
                "ops",
                {"{{result}}": f"sum by (result) (rate({ours}pushes_total{rate}))"},
            ),
            Panel(
                "Time until a change is applied",
                "s",
                {
                    f"p{round(q * 100)}": f"histogram_quantile({q}, sum by (le)"
                    f" (rate({ours}convergence_seconds_bucket{rate})))"
                    for q in (0.5, 0.99)
                },
            ),
            Panel("Revision", "short", {"{{pod}}": f"max by (pod) ({ours}policy_revision)"}),
            Panel(
                "Time to compile",
                "s",
                {
                    "p99": "histogram_quantile(0.99, sum by (le)"
                    f" (rate({ours}compile_duration_seconds_bucket{rate})))"
                },
            ),
            Panel("Registry reachable", "short", {"{{pod}}": f"min by (pod) ({ours}registry_up)"}),
            Panel("Endpoints", "short", {"{{pod}}": f"max by (pod) ({ours}registry_endpoints)"}),
            Panel("Leases", "short", {"{{pod}}": f"max by (pod) ({ours}registry_leases)"}),
            Panel("Tasks", "short", {"{{pod}}": f"max by (pod) ({ours}tasks)"}),
        ),
    )


DASHBOARDS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "overview": overview,
    "service": service,
    "controlplane": control_plane,
}


def expressions() -> tuple[str, ...]:
    """Return every expression of every board."""
    boards = (board() for board in DASHBOARDS.values())
    return tuple(
        target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]
    )


def _inbound(*matchers: str) -> str:
    chosen = ", ".join((_INBOUND, *matchers))
    return f"breakwater_requests_total{{{chosen}}}"


def _sum(metric: str, matcher: str, label: str) -> str:
    return f"sum by ({label}) ({metric}{{{matcher}}})"


def _quantile(quantile: float, matchers: str) -> str:
    buckets = f"rate(breakwater_request_duration_seconds_bucket{{{matchers}}}[$__rate_interval])"
    return f"histogram_quantile({quantile}, sum by (service, le) ({buckets}))"


def _board(uid: str, title: str, panels: Sequence[Panel], variables: Sequence[str] = ()) -> dict[str, Any]:
    listed = [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
    listed += [_variable(name) for name in variables]
    return {
        "uid": f"breakwater-{uid}",
        "title": title,
        "tags": ["breakwater"],
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": listed},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _variable(name: str) -> dict[str, Any]:
    query = f"label_values(breakwater_requests_total, {name})"
    return {"name": name, "type": "query", "datasource": _SOURCE, "query": query, "refresh": 2}


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 3)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend}
            for index, (legend, expression) in enumerate(panel.lines.items())
        ],
    }
