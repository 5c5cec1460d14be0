"""One set of documents out of many units."""

from controlplane.model.codes import Code
from controlplane.model.value import find
from controlplane.sources.desired import Desired, Unit, preview, settle
from controlplane.sources.reader import Parsed
from controlplane.sources.source import Reading
from tests.support.builders import read

A = """\
apiVersion: breakwater.dev/v1alpha1
kind: ResiliencePolicy
metadata: {{name: {name}, namespace: shop}}
spec: {{targetRefs: [{{kind: Service, name: cart}}], timeouts: {{request: {request}}}}}
"""
MESH = """\
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {{name: default}}
spec: {{rootNamespace: {root}}}
"""
TO_MESH = A.replace("kind: Service, name: cart", "kind: Mesh, name: default")


def file(name: str, *texts: str) -> dict[str, Parsed | None]:
    return {name: read("---\n".join(texts), name) if texts else None}


def policy(name: str, request: str = "1s") -> str:
    return A.format(name=name, request=request)


def step(desired: Desired, *units: dict[str, Parsed | None], source: str = "files") -> Desired:
    merged = {name: parsed for unit in units for name, parsed in unit.items()}
    position = desired.positions.get(source, 0) + 1
    return settle(desired, [Reading(source=source, units=merged, position=position)])


def names(desired: Desired) -> list[str]:
    return sorted(key.name for key in desired.documents)


def problems(desired: Desired, source: str = "files") -> list[str]:
    return [str(problem) for problem in desired.problems_of(source)]


def test_sound_files_are_taken() -> None:
    desired = step(Desired(), file("a", policy("x"), policy("w")), file("b", policy("z")))
    assert names(desired) == ["w", "x", "z"]
    assert (desired.count("files"), problems(desired)) == (3, [])


def test_an_edit_that_says_the_same_moves_nothing() -> None:
    desired = step(Desired(), file("a", policy("x")))
    again = step(desired, file("a", "# a comment\n" + policy("x")))
    assert again.documents == desired.documents
    assert again.positions == {"files": 2}


def request_of(desired: Desired, name: str) -> str:
    return next(
        str(find(document.spec, "timeouts.request"))
        for key, document in desired.documents.items()
        if key.name == name
    )


def test_a_bad_edit_changes_nothing_and_its_problems_are_shown() -> None:
    desired = step(Desired(), file("a", policy("x", "1s")))
    bad = step(desired, file("a", policy("x", "soon")))
    assert bad.documents == desired.documents
    assert "found 'soon'" in problems(bad)[0]
    healed = step(bad, file("a", policy("x", "2s")))
    assert healed.documents != desired.documents
    assert problems(healed) == []


def test_of_a_file_what_is_sound_is_taken_and_of_the_rest_the_last_good_version_stays() -> None:
    desired = step(Desired(), file("a", policy("x", "1s"), policy("w", "1s")))
    mixed = step(desired, file("a", policy("x", "2s"), policy("w", "soon"), policy("z")))
    assert names(mixed) == ["w", "x", "z"]
    assert {key.name: request_of(mixed, key.name) for key in mixed.documents} == {
        "x": "2s",
        "w": "1s",
        "z": "1s",
    }
    assert len(problems(mixed)) == 1


def test_nothing_leaves_a_file_of_which_something_cannot_be_read() -> None:
    desired = step(Desired(), file("a", policy("x"), policy("w")))
    broken = step(desired, file("a", "a: [1\n", policy("z")))
    assert names(broken) == ["w", "x", "z"]
    assert names(step(broken, file("a", policy("z")))) == ["z"]


def test_of_an_object_that_a_file_defines_twice_the_last_good_version_stays() -> None:
    desired = step(Desired(), file("a", policy("x", "1s")))
    twice = step(desired, file("a", policy("x", "2s"), policy("x", "3s"), policy("w")))
    assert names(twice) == ["w", "x"]
    assert request_of(twice, "x") == "1s"
    assert [problem.code for problem in twice.problems_of("files")] == [Code.DEFINED_TWICE]


def test_what_another_file_has_keeps_nothing_else_of_a_file_out() -> None:
    desired = step(Desired(), file("a", policy("x", "1s")))
    clashing = step(desired, file("b", policy("x", "2s"), policy("w")))
    assert names(clashing) == ["w", "x"]
    assert request_of(clashing, "x") == "1s"
    assert step(clashing, file("a")).owners.keys() == clashing.owners.keys()


def test_a_file_that_goes_takes_its_documents_along() -> None:
    desired = step(Desired(), file("a", policy("x")), file("b", policy("w")))
    assert names(step(desired, file("a"))) == ["w"]


def test_a_document_that_leaves_its_file_is_gone() -> None:
    desired = step(Desired(), file("a", policy("x"), policy("w")))
    assert names(step(desired, file("a", policy("w")))) == ["w"]


def test_an_object_of_two_files_stays_with_the_one_that_has_it() -> None:
    desired = step(step(Desired(), file("b", policy("x", "1s"))), file("a", policy("x", "2s")))
    assert [document.file for document in desired.documents.values()] == ["b"]
    assert problems(desired) == [
        "a:3: ResiliencePolicy shop/x metadata.name: defined in b:1 already; change it there"
    ]


def test_of_two_files_that_came_together_the_first_by_name_has_the_object() -> None:
    desired = step(Desired(), file("b", policy("x")), file("a", policy("x")))
    assert desired.owners == {next(iter(desired.documents)): Unit("files", "a")}
    assert [problem.file for problem in desired.problems_of("files")] == ["b"]


def test_a_refused_file_is_taken_once_the_other_lets_go() -> None:
    desired = step(step(Desired(), file("a", policy("x"))), file("b", policy("x")))
    moved = step(desired, file("a", policy("w")))
    assert names(moved) == ["w", "x"]
    assert problems(moved) == []


def test_objects_may_change_places_at_once() -> None:
    desired = step(Desired(), file("a", policy("x")), file("b", policy("w")))
    swapped = step(desired, file("a", policy("w")), file("b", policy("x")))
    assert problems(swapped) == []
    assert {owner.name: key.name for key, owner in swapped.owners.items()} == {"a": "w", "b": "x"}


def test_what_the_admin_api_has_cannot_be_defined_in_a_file() -> None:
    desired = step(Desired(), file("k", policy("x")), source="admin")
    refused = step(desired, file("a", policy("x")))
    assert problems(refused) == [
        (
            "a:3: ResiliencePolicy shop/x metadata.name: "
            "applied through the admin API already; change or delete it there"
        )
    ]


def test_a_preview_finds_what_taking_would_and_changes_nothing() -> None:
    desired = step(Desired(), file("a.yaml", policy("x")))
    found = preview(desired, "admin", {"k": read(policy("x"), "cart.yaml")})
    assert [str(problem) for problem in found] == [
        "cart.yaml:3: ResiliencePolicy shop/x metadata.name: defined in a.yaml:1 already; change it there"
    ]
    assert preview(desired, "admin", {"k": read(policy("w"))}) == ()
    assert preview(desired, "admin", {"k": read(policy("w", "soon"))})


def test_a_preview_finds_what_is_wrong_beside_what_cannot_be_read() -> None:
    desired = step(Desired(), file("a.yaml", policy("x")))
    units = {"k": read(policy("w", "soon"), "one"), "l": read(policy("x"), "two")}
    found = preview(desired, "admin", units)
    assert [(problem.file, problem.code) for problem in found] == [
        ("one", Code.UNREADABLE),
        ("two", Code.DEFINED_TWICE),
    ]


def test_a_preview_says_nothing_of_what_waits_already() -> None:
    waiting = step(step(Desired(), file("a", policy("x"))), file("b", policy("x")))
    assert preview(waiting, "admin", {"k": read(policy("w"))}) == ()


def test_two_manifests_of_one_preview_cannot_define_one_object() -> None:
    units = {"k": read(policy("x"), "one"), "l": read(policy("x"), "two")}
    assert len(preview(Desired(), "admin", units)) == 1


def test_the_root_namespace_is_that_of_the_set_as_it_would_be() -> None:
    targets_mesh = TO_MESH.format(name="x", request="1s")
    refused = step(Desired(), file("a", targets_mesh))
    assert "only policies in breakwater-system may target the Mesh" in problems(refused)[0]
    together = step(Desired(), file("a", targets_mesh), file("b", MESH.format(root="shop")))
    assert problems(together) == []
    later = step(refused, file("b", MESH.format(root="shop")))
    assert problems(later) == []
    assert len(later.documents) == 2


def test_warnings_do_not_keep_a_file_out() -> None:
    text = policy("x").replace("timeouts: {request: 1s}", "retry: ")
    desired = step(Desired(), file("a", text))
    assert names(desired) == ["x"]
    assert all(problem.warning for problem in desired.problems_of("files"))


def test_what_a_grant_permits_waits_for_the_grant() -> None:
    limits = """\
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: x, namespace: web}
spec: {targetRefs: [{kind: Service, name: cart, namespace: shop}], limits: [{name: a, requests: 1, per: 1s}]}
"""
    grant = """\
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: limits, namespace: shop}
spec:
  from: [{group: breakwater.dev, kind: RateLimitPolicy, namespace: web}]
  to: [{group: "", kind: Service}]
"""
    waiting = step(Desired(), file("a", limits))
    assert "ReferenceGrant of shop" in problems(waiting)[0]
    assert names(step(waiting, file("b", grant))) == ["limits", "x"]
    assert names(step(Desired(), file("a", limits), file("b", grant))) == ["limits", "x"]
