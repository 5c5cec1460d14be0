"""The closed list of what a pod may ask for."""

from dataclasses import replace

import pytest

from controlplane.injector.annotations import read
from controlplane.policy.sidecar_profile import Capture, Native, Profile, profile_of
from tests.support.injection import BLOCK

REDIRECTED = profile_of(None, BLOCK)
EXPLICIT = replace(REDIRECTED, capture=Capture.EXPLICIT)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("proxy-cpu", "100m", replace(REDIRECTED, requests={"cpu": "100m", "memory": "32Mi"})),
        ("proxy-memory", "64Mi", replace(REDIRECTED, requests={"cpu": "20m", "memory": "64Mi"})),
        ("proxy-cpu-limit", "2", replace(REDIRECTED, limits={"memory": "128Mi", "cpu": "2"})),
        ("proxy-memory-limit", "1Gi", replace(REDIRECTED, limits={"memory": "1Gi"})),
        ("capture", "Explicit", EXPLICIT),
        ("skip-inbound-ports", "9100,80", replace(REDIRECTED, exclude_inbound_ports=(80, 9100))),
        ("skip-outbound-ports", "5432", replace(REDIRECTED, exclude_outbound_ports=(5432,))),
        (
            "skip-outbound-cidrs",
            "10.1.2.3/8, fd00::1",
            replace(REDIRECTED, exclude_outbound_cidrs=("10.0.0.0/8", "fd00::1/128")),
        ),
        ("opaque-ports", "3307, 25", replace(REDIRECTED, opaque_ports=(25, 3307))),
        ("log-level", "debug", replace(REDIRECTED, log_level="debug")),
        (
            "app-protocol",
            "9000=tls, 8080=http2,9001=detect",
            replace(REDIRECTED, app_protocols=((8080, "http"), (9000, "tcp"), (9001, "detect"))),
        ),
        ("drain-delay", "1m30s", replace(REDIRECTED, drain_delay_seconds=90)),
        ("native-sidecar", "false", replace(REDIRECTED, native=Native.NEVER)),
    ],
)
def test_an_annotation_takes_the_place_of_what_the_profile_says(
    name: str, text: str, expected: Profile
) -> None:
    assert read({f"breakwater.dev/{name}": text, "team": "cart"}, REDIRECTED) == (expected, [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("proxy-cpu", "0"),
        ("proxy-cpu", "65"),
        ("proxy-cpu", "-1"),
        ("proxy-cpu", "1e3"),
        ("proxy-memory", "1Mi"),
        ("proxy-memory-limit", "17Gi"),
        ("proxy-memory", "64Mi; rm"),
        ("capture", "redirect"),
        ("capture", "TPROXY"),
        ("skip-inbound-ports", ""),
        ("skip-inbound-ports", "0"),
        ("skip-inbound-ports", "65536"),
        ("skip-inbound-ports", "80;81"),
        ("skip-outbound-ports", "80 --evil"),
        ("skip-outbound-ports", ",".join("80" for _ in range(65))),
        ("skip-outbound-cidrs", "everything"),
        ("skip-outbound-cidrs", "10.0.0.0/33"),
        ("skip-outbound-cidrs", "fe80::1%eth0"),
        ("skip-outbound-cidrs", "fe80::1%1 } accept\nflush ruleset #"),
        ("drain-delay", "301s"),
        ("drain-delay", "1500ms"),
        ("drain-delay", "5"),
        ("native-sidecar", "yes"),
        ("log-level", "trace"),
        ("log-level", "debug --evil"),
        ("app-protocol", "tcp"),
        ("app-protocol", "8080=mysql"),
        ("app-protocol", "8080=tcp,8080=http"),
        ("app-protocol", "0=tcp"),
    ],
)
def test_what_is_no_such_value_is_refused(name: str, text: str) -> None:
    profile, [problem] = read({f"breakwater.dev/{name}": text}, REDIRECTED)
    assert profile == REDIRECTED
    assert problem.path == f"metadata.annotations[breakwater.dev/{name}]"
    assert problem.message.startswith("expected ")


@pytest.mark.parametrize(
    "name",
    ["image", "command", "capabilities", "security-context", "host-path", "env", "user", "proxy-cpus"],
)
def test_nothing_else_can_be_asked_for(name: str) -> None:
    _, [problem] = read({f"breakwater.dev/{name}": "x"}, REDIRECTED)
    assert "there is no such annotation" in problem.message


def test_a_flood_of_annotations_is_one_problem() -> None:
    flood = {f"breakwater.dev/{number}": "" for number in range(100_000)}
    _, [problem] = read(flood, REDIRECTED)
    assert problem.message == "expected at most 64 under breakwater.dev/, found 100000"


@pytest.mark.parametrize("name", ["skip-inbound-ports", "opaque-ports", "app-protocol"])
def test_what_only_redirection_can_do_needs_it(name: str) -> None:
    _, [problem] = read({f"breakwater.dev/{name}": "80=tcp" if name == "app-protocol" else "80"}, EXPLICIT)
    assert "needs breakwater.dev/capture: Redirect" in problem.message


def test_a_request_lies_within_its_limit() -> None:
    _, [problem] = read({"breakwater.dev/proxy-memory": "1Gi"}, REDIRECTED)
    assert str(problem) == (
        "metadata.annotations[breakwater.dev/proxy-memory]: expected at most the limit, 128Mi, found 1Gi"
    )
