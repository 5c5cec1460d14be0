"""HTTPRoute and GRPCRoute: what is refused, and what they refer to."""

from textwrap import indent

import pytest

from controlplane.model.document import Document
from controlplane.model.value import Duration, blocks
from controlplane.policy import route, route_filter
from controlplane.policy.target import Target
from tests.support.builders import documents, read

PARENT = "parentRefs: [{kind: Service, name: cart}]"
REQUEST = "requestHeaderModifier"


def text(spec: str, kind: str = "HTTPRoute") -> str:
    header = f"apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\n"
    return f"{header}metadata: {{name: cart, namespace: shop}}\nspec:\n{indent(spec, '  ')}\n"


def match(written: str) -> str:
    return f"{PARENT}\nrules: [{{matches: [{written}]}}]"


def filters(*written: str) -> str:
    return f"{PARENT}\nrules: [{{filters: [{', '.join(written)}]}}]"


def on_request(changes: str) -> str:
    return f"{{type: RequestHeaderModifier, {REQUEST}: {changes}}}"


def mirror(share: str, group: str = "''") -> str:
    ref = f"{{group: {group}, name: b, port: 80}}"
    return f"{{type: RequestMirror, requestMirror: {{backendRef: {ref}, {share}}}}}"


def found(spec: str, kind: str = "HTTPRoute") -> Document:
    [document] = documents(text(spec, kind))
    return document


@pytest.mark.parametrize(
    ("kind", "spec", "path", "said"),
    [
        ("HTTPRoute", f"{PARENT}\nhostnames: [a.b]\nrules: [{{}}]", "spec.hostnames", "unknown field"),
        ("HTTPRoute", f"{PARENT}\nrules: []", "spec.rules", "at least 1"),
        (
            "HTTPRoute",
            "parentRefs: [{kind: Gateway, name: g}]\nrules: [{}]",
            "spec.parentRefs[0].kind",
            "ExternalService",
        ),
        (
            "HTTPRoute",
            "parentRefs: [{group: a, kind: Service, name: g}]\nrules: [{}]",
            "spec.parentRefs[0].group",
            "''",
        ),
        (
            "HTTPRoute",
            "parentRefs: [{kind: Service, name: g}, {kind: Service, name: g}]\nrules: [{}]",
            "spec.parentRefs[1]",
            "the same as parentRefs[0]",
        ),
        ("HTTPRoute", f"{PARENT}\nrules: [{{name: a}}, {{name: a}}]", "spec.rules[1].name", "taken by [0]"),
        (
            "HTTPRoute",
            f"{PARENT}\nrules: [{{backendRefs: [{{name: a}}]}}]",
            "spec.rules[0].backendRefs[0].port",
            "required",
        ),
        (
            "HTTPRoute",
            match("{path: {value: cart}}"),
            "spec.rules[0].matches[0].path.value",
            "begins with a slash",
        ),
        ("HTTPRoute", match("{path: {value: /a//b}}"), "spec.rules[0].matches[0].path.value", "never has //"),
        (
            "HTTPRoute",
            match("{path: {value: /a/..}}"),
            "spec.rules[0].matches[0].path.value",
            "never has /..",
        ),
        (
            "HTTPRoute",
            match("{path: {value: /a%2Fb}}"),
            "spec.rules[0].matches[0].path.value",
            "never has %2F",
        ),
        (
            "HTTPRoute",
            match("{path: {type: RegularExpression, value: '('}}"),
            "spec.rules[0].matches[0].path.value",
            "linear time",
        ),
        (
            "HTTPRoute",
            match("{path: {type: RegularExpression, value: '(a)\\1'}}"),
            "spec.rules[0].matches[0].path.value",
            "backreferences",
        ),
        (
            "HTTPRoute",
            match("{path: {type: RegularExpression, value: '(a{1000}){1000}'}}"),
            "spec.rules[0].matches[0].path.value",
            "size limit",
        ),
        ("HTTPRoute", match("{method: BREW}"), "spec.rules[0].matches[0].method", "GET, HEAD"),
        (
            "HTTPRoute",
            match("{headers: [{name: x-a, value: a}, {name: x-a, value: b}]}"),
            "spec.rules[0].matches[0].headers[1].name",
            "taken by [0]",
        ),
        (
            "HTTPRoute",
            f"{PARENT}\nrules: [{{timeouts: {{request: 1s, backendRequest: 2s}}}}]",
            "spec.rules[0].timeouts.backendRequest",
            "at most request (1s)",
        ),
        ("GRPCRoute", match("{method: {type: Exact}}"), "spec.rules[0].matches[0].method", "found neither"),
        (
            "GRPCRoute",
            match("{method: {service: a/b}}"),
            "spec.rules[0].matches[0].method.service",
            "name of gRPC",
        ),
        (
            "GRPCRoute",
            match("{method: {method: '1'}}"),
            "spec.rules[0].matches[0].method.method",
            "name of gRPC",
        ),
        ("GRPCRoute", match("{path: {value: /a}}"), "spec.rules[0].matches[0].path", "unknown field"),
        (
            "HTTPRoute",
            filters("{type: URLRewrite}"),
            "spec.rules[0].filters[0].type",
            "RequestHeaderModifier",
        ),
        (
            "HTTPRoute",
            filters("{type: RequestHeaderModifier}"),
            "spec.rules[0].filters[0]",
            "expected requestHeaderModifier",
        ),
        (
            "GRPCRoute",
            filters(f"{{type: ResponseHeaderModifier, responseHeaderModifier: {{}}, {REQUEST}: {{}}}}"),
            "spec.rules[0].filters[0].requestHeaderModifier",
            "expected responseHeaderModifier alone",
        ),
        (
            "HTTPRoute",
            filters(on_request("{}"), on_request("{}")),
            "spec.rules[0].filters[1]",
            "one requestHeaderModifier, which is [0]",
        ),
        (
            "HTTPRoute",
            filters(on_request("{add: [{name: x-a, value: '1'}, {name: x-a, value: '2'}]}")),
            "spec.rules[0].filters[0].requestHeaderModifier.add[1].name",
            "taken by [0]",
        ),
        (
            "HTTPRoute",
            filters(on_request("{add: [{name: x-a, value: '1 '}]}")),
            "spec.rules[0].filters[0].requestHeaderModifier.add[0].value",
            "expected",
        ),
        (
            "HTTPRoute",
            filters(mirror("percent: 50, fraction: {numerator: 1}")),
            "spec.rules[0].filters[0].requestMirror.fraction",
            "percent",
        ),
        (
            "HTTPRoute",
            filters(mirror("fraction: {numerator: 101}")),
            "spec.rules[0].filters[0].requestMirror.fraction.numerator",
            "at most the denominator, 100",
        ),
        (
            "GRPCRoute",
            filters(mirror("percent: 1", group="a")),
            "spec.rules[0].filters[0].requestMirror.backendRef.group",
            "expected ''",
        ),
        (
            "HTTPRoute",
            f"{PARENT}\nrules: [{{backendRefs: [{{name: a, port: 80, filters: []}}]}}]",
            "spec.rules[0].backendRefs[0].filters",
            "unknown field",
        ),
    ],
)
def test_what_is_not_enforced_or_makes_no_sense_is_refused(
    kind: str, spec: str, path: str, said: str
) -> None:
    problems = [(problem.path, problem.message) for problem in read(text(spec, kind)).problems]
    assert [place for place, _ in problems] == [path]
    assert said in problems[0][1]


def test_routes_are_of_the_gateway_apis_own_version() -> None:
    [problem] = read(
        text(f"{PARENT}\nrules: [{{}}]").replace("networking.k8s.io/v1", "networking.k8s.io/v1beta1")
    ).problems
    assert "gateway.networking.k8s.io/v1," in problem.message


def test_matches_are_bounded_over_all_rules() -> None:
    rule = f"{{matches: [{', '.join(['{method: GET}'] * 64)}]}}"
    sound = read(text(f"{PARENT}\nrules: [{rule}, {rule}]"))
    assert sound.is_valid
    [problem] = read(text(f"{PARENT}\nrules: [{rule}, {rule}, {{matches: [{{method: PUT}}]}}]")).problems
    assert (problem.path, "at most 128" in problem.message) == ("spec.rules", True)


def test_references_are_of_the_routes_own_namespace_unless_they_say_another() -> None:
    refs = "[{name: b, port: 80}, {name: c, namespace: pay, port: 1, weight: 0}]"
    document = found(f"{PARENT}\nrules: [{{backendRefs: {refs}}}]")
    assert route.parents(document) == (route.Parent(Target("Service", "shop", "cart"), 0),)
    [rule] = blocks(document.spec, "rules")
    assert route.backends(document, rule) == (
        route.Backend(Target("Service", "shop", "b"), 80, 1),
        route.Backend(Target("Service", "pay", "c"), 1, 0),
    )


def test_a_route_of_another_namespace_is_its_consumers_own_unless_it_is_the_roots() -> None:
    document = found("parentRefs: [{kind: Service, name: cart, namespace: pay}]\nrules: [{}]")
    [parent] = route.parents(document)
    assert route.consumer(document, parent.target, "breakwater-system") == "shop"
    assert route.consumer(document, parent.target, "shop") == ""
    assert route.consumer(document, Target("Service", "shop", "cart"), "breakwater-system") == ""


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "TE",
        "transfer-encoding",
        "Content-Length",
        "Host",
        "breakwater-via",
        "Proxy-Status",
        "grpc-timeout",
    ],
)
@pytest.mark.parametrize(
    "changes", ["set: [{{name: {0}, value: a}}]", "add: [{{name: {0}, value: a}}]", "remove: [{0}]"]
)
def test_no_filter_changes_what_only_sidecars_may_say(name: str, changes: str) -> None:
    [problem] = read(text(filters(on_request(f"{{{changes.format(name)}}}")))).problems
    assert f"{name} is the sidecar's own to say" in problem.message
    assert problem.path.startswith("spec.rules[0].filters[0].requestHeaderModifier.")


def test_of_fields_that_differ_in_case_alone_the_first_counts() -> None:
    fields = "[{name: X-A, value: first}, {name: x-a, value: second}, {name: x-b, value: other}]"
    document = found(filters(on_request(f"{{set: {fields}, remove: [x-c]}}")))
    [rule] = blocks(document.spec, "rules")
    changes = route_filter.request_headers(rule)
    assert [each["value"] for each in blocks(changes, "set")] == ["first", "other"]
    assert changes["remove"] == ("x-c",)
    assert route_filter.response_headers(rule) == {}


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_of_headers_to_be_met_that_differ_in_case_alone_the_first_counts(kind: str) -> None:
    fields = "[{name: X-A, value: first}, {name: x-a, value: second}, {name: x-b, value: other}]"
    [rule] = blocks(found(match(f"{{headers: {fields}}}"), kind).spec, "rules")
    [only] = route.matches(rule)
    assert [each["value"] for each in blocks(only, "headers")] == ["first", "other"]


def test_a_zero_bounds_nothing_and_is_no_limit_of_an_attempt() -> None:
    document = found(f"{PARENT}\nrules: [{{timeouts: {{request: 0s, backendRequest: 2s}}}}]")
    [rule] = blocks(document.spec, "rules")
    assert route.timeouts(rule) == {"timeouts": {"request": Duration(0), "perTry": Duration(2 * 10**9)}}
