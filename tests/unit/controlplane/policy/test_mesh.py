"""The Mesh and its settings."""

from controlplane.policy import mesh as module
from tests.support.builders import SCHEMA, mesh, read


def test_without_a_mesh_the_documented_defaults_hold() -> None:
    assert module.root_namespace(None) == "breakwater-system"
    assert module.access_log(None, SCHEMA) == {"mode": "ErrorsAndSampled", "samplePercent": 1}


def test_a_mesh_names_the_root_namespace() -> None:
    assert module.root_namespace(mesh("rootNamespace: platform")) == "platform"


def test_spans_are_recorded_of_one_percent_of_the_traces_where_somebody_asks_for_them() -> None:
    assert module.tracing(None, SCHEMA) is None
    assert module.tracing(mesh("telemetry: {accessLog: {mode: All}}"), SCHEMA) is None
    assert module.tracing(mesh("telemetry: {tracing: {}}"), SCHEMA) == {"samplingPercent": 1}
    assert module.tracing(mesh("telemetry: {tracing: {samplingPercent: 5}}"), SCHEMA) == {
        "samplingPercent": 5
    }


def test_the_default_of_the_root_namespace_is_that_of_the_contract() -> None:
    field = SCHEMA.kinds["Mesh"].spec.fields["rootNamespace"]
    assert field.default == module.DEFAULT_ROOT_NAMESPACE


def test_defaults_of_the_mesh_are_checked_like_a_policy() -> None:
    text = """\
        apiVersion: breakwater.dev/v1alpha1
        kind: Mesh
        metadata: {name: default}
        spec: {defaults: {resilience: {timeouts: {request: 1s, perTry: 2s}}}}
    """
    assert [problem.path for problem in read(text).problems] == ["spec.defaults.resilience.timeouts.perTry"]
