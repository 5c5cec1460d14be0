"""Annotations for Prometheus: led to the sidecar, and back."""

from typing import Any

import pytest

from controlplane.injector import removal
from controlplane.injector.operations import apply
from controlplane.injector.verdict import Skip
from tests.support.injection import inject, injected

LED = {"scrape": "true", "port": "15090", "path": "/metrics"}


def pod(**annotations: str) -> dict[str, Any]:
    named = {f"prometheus.io/{name}": value for name, value in annotations.items()}
    container = {"name": "cart", "image": "cart:1"}
    return {"metadata": {"name": "cart", "annotations": named}, "spec": {"containers": [container]}}


def annotations(found: dict[str, Any]) -> dict[str, str]:
    named = found["metadata"]["annotations"].items()
    return {name.removeprefix("prometheus.io/"): value for name, value in named if "prometheus.io/" in name}


def told(found: dict[str, Any]) -> list[str]:
    sidecar = found["spec"]["initContainers"][-1]
    return [flag for flag in sidecar["args"] if flag.startswith("--app-metrics=")]


@pytest.mark.parametrize(
    ("asked", "flag"),
    [
        ({"scrape": "true", "port": "8080"}, "8080/metrics"),
        ({"scrape": "true", "port": "9102", "path": "/a b?x=$(Y)", "scheme": "http"}, "9102/a%20b?x=$$(Y)"),
    ],
)
def test_scrapes_are_led_to_the_sidecar_and_back(asked: dict[str, str], flag: str) -> None:
    found = pod(**asked)
    whole = injected(found)
    assert told(whole) == [f"--app-metrics={flag}"]
    assert annotations(whole) == asked | LED
    assert inject(whole).skip is Skip.INJECTED
    assert apply(whole, removal.uninject(whole)) == found


@pytest.mark.parametrize(
    "asked",
    [
        {"scrape": "false", "port": "8080"},
        {"scrape": "true"},
        {"scrape": "true", "port": "http"},
        {"scrape": "true", "port": "70000"},
        {"scrape": "true", "port": "15090"},
        {"scrape": "true", "port": "8443", "scheme": "https"},
        {"port": "8080"},
    ],
)
def test_other_annotations_stay(asked: dict[str, str]) -> None:
    whole = injected(pod(**asked))
    assert told(whole) == []
    assert annotations(whole) == asked


def test_what_others_led_elsewhere_since_stays_there() -> None:
    whole = injected(pod(scrape="true", port="8080"))
    whole["metadata"]["annotations"]["prometheus.io/port"] = "9999"
    bare = apply(whole, removal.uninject(whole))
    assert annotations(bare) == {"scrape": "true", "port": "9999"}
