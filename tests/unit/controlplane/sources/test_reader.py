"""Every problem of a text at once."""

from controlplane.model.document import ObjectKey
from controlplane.model.value import Duration
from controlplane.sources.reader import parse_bytes
from tests.support.builders import SCHEMA, documents, read

POLICY = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: cart, namespace: shop}}
spec:
  targetRefs: [{{kind: Service, name: cart}}]
  {block}
"""
LIMIT = """\
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {{name: cart, namespace: shop}}
spec:
  targetRefs: [{{kind: Service, name: cart}}]
  limits:
  - {limit}
"""


def found(block: str) -> list[str]:
    """Path and message of every problem of a ResiliencePolicy with this block."""
    return [f"{each.path}: {each.message}" for each in read(POLICY.format(block=block)).problems]


def found_in_limit(limit: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in read(LIMIT.format(limit=limit)).problems]


def test_a_document_is_read_with_types_and_without_defaults() -> None:
    [document] = documents(
        POLICY.format(
            block="retry: {attempts: 3, when: [503, Reset], replayBytes: 1Ki, backoff: {base: 10ms}}"
        )
    )
    assert document.key == ObjectKey("ResiliencePolicy", "shop", "cart")
    assert document.spec["retry"] == {
        "attempts": 3,
        "when": ("503", "Reset"),
        "replayBytes": 1024,
        "backoff": {"base": Duration(10_000_000)},
    }


def test_a_document_knows_the_line_of_every_value() -> None:
    [document] = documents(POLICY.format(block="timeouts: {}"))
    assert document.line == 1
    assert document.lines["spec.targetRefs[0].kind"] == 5


def test_every_problem_is_found_at_once_with_file_line_object_and_path() -> None:
    parsed = read(
        """\
        apiVersion: breakwater.dev/v1alpha1
        kind: ResiliencePolicy
        metadata: {name: cart, namespace: shop}
        spec:
          targetRefs: [{kind: Service, name: cart}]
          timeouts: {request: 5, conect: 1s}
          retry:
            attempts: 11
            attempts: 2
        ---
        kind: Nothing
        """
    )
    assert [str(problem) for problem in parsed.problems] == [
        (
            "policies.yaml:6: ResiliencePolicy shop/cart spec.timeouts.request: "
            "expected a duration such as 250ms or 1m30s, found '5'"
        ),
        (
            "policies.yaml:6: ResiliencePolicy shop/cart spec.timeouts.conect: "
            "unknown field; did you mean connect?"
        ),
        "policies.yaml:8: ResiliencePolicy shop/cart spec.retry.attempts: expected at most 10, found 11",
        "policies.yaml:9: ResiliencePolicy shop/cart spec.retry.attempts: written before, at line 8",
        (
            "policies.yaml:11: apiVersion: required; expected breakwater.dev/v1alpha1, "
            "gateway.networking.k8s.io/v1beta1, "
            "gateway.networking.k8s.io/v1"
        ),
        (
            "policies.yaml:11: kind: expected one of ResiliencePolicy, RateLimitPolicy, Mesh, "
            "ExternalService, BackpressurePolicy, SidecarProfile, ReferenceGrant, FaultPolicy, HTTPRoute, "
            "GRPCRoute, found 'Nothing'"
        ),
    ]
    assert parsed.documents == ()


def test_a_sound_document_beside_a_broken_one_is_still_read() -> None:
    text = POLICY.format(block="timeouts: {}") + "---\nkind: Mesh\n"
    assert len(read(text).documents) == 1


def test_an_unknown_kind_lists_the_known_ones_and_suggests() -> None:
    [problem] = read("apiVersion: breakwater.dev/v1alpha1\nkind: RateLimitPolicies\n").problems
    assert problem.message.startswith(
        "expected one of ResiliencePolicy, RateLimitPolicy, Mesh, ExternalService"
    )
    assert problem.message.endswith("did you mean RateLimitPolicy?")


def test_a_kind_of_a_later_release_is_refused() -> None:
    [problem] = read("apiVersion: breakwater.dev/v1alpha1\nkind: AccessPolicy\n").problems
    assert problem.path == "kind"


def test_another_api_version_is_refused() -> None:
    [problem] = read(POLICY.format(block="timeouts: {}").replace("v1alpha1", "v1")).problems
    assert problem.message == "expected one of breakwater.dev/v1alpha1, found 'breakwater.dev/v1'"


def test_an_object_defined_twice_in_a_file_is_refused() -> None:
    text = POLICY.format(block="timeouts: {}")
    [problem] = read(text + "---\n" + text).problems
    assert str(problem) == (
        "policies.yaml:10: ResiliencePolicy shop/cart metadata.name: defined before, at line 1"
    )


def test_required_fields_are_named() -> None:
    text = "apiVersion: breakwater.dev/v1alpha1\nkind: RateLimitPolicy\nmetadata: {}\nspec: {limits: [{}]}\n"
    assert [f"{each.path}: {each.message}" for each in read(text).problems] == [
        "metadata.name: required",
        "spec.limits[0].name: required",
        "spec.targetRefs: required",
    ]


def test_words_of_closed_lists_are_suggested() -> None:
    assert found("retry: {strategy: fullJitter}") == [
        (
            "spec.retry.strategy: expected one of Immediate, Fixed, Exponential, ExponentialJitter, "
            "FullJitter, Decorrelated, found 'fullJitter'; did you mean FullJitter?"
        )
    ]


def test_conditions_are_checked_each_by_itself() -> None:
    assert found("retry: {when: [ConnectFailre, 600, 5xx, Unavailable]}") == [
        (
            "spec.retry.when[0]: expected a condition, an HTTP status, a class such as 5xx, or a gRPC code, "
            "found 'ConnectFailre'; did you mean ConnectFailure?"
        ),
        (
            "spec.retry.when[1]: expected a condition, an HTTP status, a class such as 5xx, or a gRPC code, "
            "found '600'"
        ),
    ]


def test_types_are_not_converted() -> None:
    assert found("retry: {attempts: '2'}") == ["spec.retry.attempts: expected an integer, found '2'"]
    assert found("retry: {attempts: 2.0}") == ["spec.retry.attempts: expected an integer, found '2.0'"]
    assert found("retry: {honorRetryAfter: yes}") == [
        "spec.retry.honorRetryAfter: expected true or false, found 'yes'"
    ]
    assert found("retry: []") == ["spec.retry: expected a block of fields, found a list"]
    assert found("retry: {when: Reset}") == ["spec.retry.when: expected a list, found 'Reset'"]
    assert found("retry: {budget: {percent: 20%}}") == [
        "spec.retry.budget.percent: expected a number from 0 to 100, found '20%'"
    ]


def test_a_string_that_yaml_1_1_reads_as_something_else_must_be_quoted() -> None:
    header = "{{name: a, requests: 1, per: 1s, match: [{{headers: [{{name: x-debug, value: {}}}]}}]}}"
    assert found_in_limit(header.format("on")) == [
        (
            "spec.limits[0].match[0].headers[0].value: "
            "expected a string, found the boolean 'on'; put it in quotes"
        )
    ]
    assert found_in_limit(header.format("42")) == [
        "spec.limits[0].match[0].headers[0].value: expected a string, found the number '42'; put it in quotes"
    ]
    assert found_in_limit(header.format("'on'")) == []


def test_ranges_include_their_ends() -> None:
    assert found("retry: {attempts: 10}") == []
    assert found("breaker: {service: {trip: {errorRate: 100}}}") == []
    assert found("breaker: {service: {trip: {errorRate: 0}}}") == [
        "spec.breaker.service.trip.errorRate: expected more than zero, found 0"
    ]
    assert found("breaker: {service: {trip: {errorRate: 100.5}}}") == [
        "spec.breaker.service.trip.errorRate: expected at most 100, found 100.5"
    ]
    assert found("timeouts: {request: 0s}") == ["spec.timeouts.request: expected more than zero, found 0s"]
    assert found("timeouts: {connect: 2m}") == ["spec.timeouts.connect: expected at most 1m, found 2m"]
    assert found("retry: {budget: {minRetryRate: {count: -1}}}") == [
        "spec.retry.budget.minRetryRate.count: expected at least 0, found -1"
    ]


def test_fields_that_exclude_each_other_are_refused_together() -> None:
    assert found("breaker: {service: {halfOpen: {probes: 3, successThreshold: 2}}}") == [
        "spec.breaker.service.halfOpen.probes: excludes successThreshold; set one of them"
    ]


def test_names_headers_and_addresses_are_checked() -> None:
    assert found("bulkhead: {sharedName: Big_One}") == [
        (
            "spec.bulkhead.sharedName: expected a name of lower-case letters, digits and -, "
            "at most 63 characters, found 'Big_One'"
        )
    ]
    assert found_in_limit("{name: a, requests: 1, per: 1s, by: [{header: 'x y'}]}") == [
        "spec.limits[0].by[0].header: expected an HTTP header name, found 'x y'"
    ]
    exempt = LIMIT.format(limit="{name: a, requests: 1, per: 1s}") + "  exempt: [{sourceIp: 10.0.0.0/33}]\n"
    assert [each.message for each in read(exempt).problems] == [
        "expected an IP address or a CIDR block, found '10.0.0.0/33'"
    ]


def test_lists_are_bounded() -> None:
    targets = ", ".join(f"{{kind: Service, name: s{number}}}" for number in range(17))
    text = POLICY.format(block="timeouts: {}").replace("{kind: Service, name: cart}", targets)
    assert [each.message for each in read(text).problems] == ["expected at most 16 entries, found 17"]


def test_an_empty_block_is_absent_and_says_how_to_write_its_defaults() -> None:
    parsed = read(POLICY.format(block="retry:"))
    assert "retry" not in parsed.documents[0].spec
    assert [problem.message for problem in parsed.problems if problem.path == "spec.retry"] == [
        "empty, which is as if it were absent; for its defaults write {}"
    ]
    assert parsed.is_valid


def test_labels_and_annotations_are_maps_of_strings() -> None:
    text = POLICY.format(block="timeouts: {}")
    labelled = text.replace(
        "namespace: shop", "namespace: shop, labels: {team: web}, annotations: {note: 'x'}"
    )
    assert documents(labelled)[0].labels == {"team": "web"}
    [problem] = read(text.replace("namespace: shop", "namespace: shop, labels: {track: 1}")).problems
    assert problem.path == "metadata.labels.track"


def test_a_json_document_is_read_like_any_other() -> None:
    text = (
        '{"apiVersion": "breakwater.dev/v1alpha1", "kind": "ResiliencePolicy", "metadata": {"name": "a"},'
        '"spec": {"targetRefs": [{"kind": "Service", "name": "a"}], "timeouts": {"request": "1s"}}}'
    )
    [document] = documents(text)
    assert document.key.namespace == "default"


def test_the_mesh_has_no_namespace_and_one_name() -> None:
    text = """\
        apiVersion: breakwater.dev/v1alpha1
        kind: Mesh
        metadata: {name: other, namespace: shop}
        spec: {}
    """
    assert [f"{each.path}: {each.message}" for each in read(text).problems] == [
        "metadata.namespace: a Mesh has no namespace; leave it out",
        "metadata.name: the only Mesh is named default",
    ]


def test_rules_between_fields_wait_for_fields_that_could_be_read() -> None:
    assert found("breaker: {service: {trip: {slowRate: 50, slowAfter: soon}}}") == [
        "spec.breaker.service.trip.slowAfter: expected a duration such as 250ms or 1m30s, found 'soon'"
    ]


def test_a_document_that_is_no_yaml_leaves_those_around_it() -> None:
    good = POLICY.format(block="timeouts: {}")
    parsed = read(good + "---\na: [1\n---\n" + good.replace("name: cart, n", "name: late, n"))
    assert [(document.key.name, document.line) for document in parsed.documents] == [
        ("cart", 1),
        ("late", 10),
    ]
    assert [problem.line for problem in parsed.problems] == [9]


def test_a_document_without_a_readable_name_is_called_by_its_kind() -> None:
    [problem] = read(POLICY.format(block="timeouts: {}").replace("name: cart, n", "name: Cart, n")).problems
    assert problem.object == "ResiliencePolicy"


def test_bytes_that_are_no_utf_8_are_one_problem_at_their_line() -> None:
    parsed = parse_bytes(b"# fine\n# \xff\n", "a.yaml", SCHEMA)
    assert [str(problem) for problem in parsed.problems] == ["a.yaml:2: expected UTF-8, found the byte 0xff"]


def test_problems_without_end_are_cut_and_counted() -> None:
    unknown = "\n".join(f"  field{number}: 1" for number in range(1_500))
    *told, last = read(POLICY.format(block="timeouts: {}") + unknown).problems
    assert len(told) == 1_000
    assert last.message == "500 more follow; mend those before first"
    assert not last.warning


def test_warnings_without_end_are_cut_and_keep_nothing_out() -> None:
    policies = (POLICY.format(block="retry:").replace("name: cart,", f"name: a{n},") for n in range(1_100))
    parsed = read("---\n".join(policies))
    assert (len(parsed.documents), len(parsed.problems), parsed.is_valid) == (1_100, 1_001, True)


def test_of_a_list_that_is_too_long_only_the_first_entries_are_looked_at() -> None:
    assert found(f"retry: {{when: [{', '.join(['Resett'] * 40)}]}}")[0] == (
        "spec.retry.when: expected at most 32 entries, found 40"
    )
    assert len(found(f"retry: {{when: [{', '.join(['Resett'] * 40)}]}}")) == 33


def test_a_text_that_is_no_yaml_is_one_problem() -> None:
    [problem] = read("a: [1\n").problems
    assert problem.line == 2
    assert problem.message.startswith("not YAML")
