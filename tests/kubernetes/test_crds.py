"""What a real API server accepts and refuses of our kinds, beside what the control plane's reader does."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from controlplane.model.schema import Kind
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse
from tests.support.crds.spoilt import minimal, spoilt
from tests.support.kube import ApiServer
from tests.support.reference import ROOT

SCHEMA = load_schema()
KINDS = tuple(kind for kind in SCHEMA.kinds.values() if kind.is_ours)
STRICTLY = {"dryRun": "All", "fieldValidation": "Strict"}
PAGES = [*sorted((ROOT / "docs" / "policies").glob("*.md")), ROOT / "docs" / "kubernetes.md"]
GOLDEN = sorted((ROOT / "tests" / "testdata" / "golden").glob("*.yaml"))


async def create(
    session: aiohttp.ClientSession, document: Mapping[str, Any]
) -> tuple[int, Mapping[str, Any]]:
    """Status and answer of creating a document, of which nothing is kept."""
    kind = SCHEMA.kinds[document["kind"]]
    scope = "" if kind.cluster_scoped else "/namespaces/default"
    path = f"/apis/breakwater.dev/v1alpha1{scope}/{kind.plural}"
    async with session.post(path, json=document, params=STRICTLY) as answer:
        return answer.status, await answer.json()


def written(path: Path) -> list[dict[str, Any]]:
    """The documents of our kinds in a YAML file, or in the examples on a page, all in namespace default."""
    text = path.read_text(encoding="utf-8")
    texts = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if path.suffix == ".md" else [text]
    every = [document for each in texts for document in yaml.safe_load_all(each) if document]
    found = [document for document in every if SCHEMA.kinds[document["kind"]].is_ours]
    for document in found:
        if not SCHEMA.kinds[document["kind"]].cluster_scoped:
            document["metadata"]["namespace"] = "default"
    return found


@pytest.mark.parametrize("path", [*PAGES, *GOLDEN], ids=lambda path: path.name)
async def test_what_the_reader_takes_is_accepted_and_means_the_same(kinds: ApiServer, path: Path) -> None:
    async with kinds.session() as session:
        for document in written(path):
            status, answer = await create(session, document)
            assert status == 201, answer["message"]
            spec = {name: value for name, value in answer["spec"].items() if name in document["spec"]}
            assert spec == document["spec"]
            assert parse(json.dumps(stored(answer)), path.name, SCHEMA).is_valid


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_every_rule_of_every_field_is_kept_by_both(kinds: ApiServer, kind: Kind) -> None:
    slips = []
    async with kinds.session() as session:
        for case in spoilt(kind):
            status, answer = await create(session, case.document)
            problems = parse(json.dumps(case.document), "spoilt.yaml", SCHEMA).problems
            by_reader = any(problem.path.startswith(case.path) for problem in problems)
            if status not in {400, 422} or not names(answer["message"], case.path) or not by_reader:
                slips.append((case.path, case.document["spec"], status, answer.get("message"), by_reader))
    assert slips == []


def names(message: str, path: str) -> bool:
    """Whether a refusal says which field it is about; of a choice it may name the block."""
    return path in message or path.rpartition(".")[0] in message


def stored(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An object as it is stored, without what the API server keeps about it."""
    metadata = {
        name: answer["metadata"][name] for name in ("name", "namespace") if name in answer["metadata"]
    }
    return {**{name: answer[name] for name in ("apiVersion", "kind", "spec")}, "metadata": metadata}


async def test_names_are_those_of_the_mesh(kinds: ApiServer) -> None:
    async with kinds.session() as session:
        mesh = minimal(SCHEMA.kinds["Mesh"])
        for name, expected in (("default", 201), ("other", 422)):
            assert (await create(session, {**mesh, "metadata": {"name": name}}))[0] == expected
        service = minimal(SCHEMA.kinds["ExternalService"])
        service["spec"]["endpoints"] = [{"address": "10.0.0.1", "port": 80}]
        for name, expected in (("a-b", 201), ("a.b", 422), ("a" * 64, 422)):
            assert (await create(session, {**service, "metadata": {"name": name}}))[0] == expected


async def test_defaults_that_are_stored_are_words_beside_the_behaviours(kinds: ApiServer) -> None:
    policy = minimal(SCHEMA.kinds["ResiliencePolicy"])
    async with kinds.session() as session:
        _, answer = await create(session, {**policy, "spec": {**policy["spec"], "timeouts": {}}})
    assert answer["spec"] == {**policy["spec"], "timeouts": {}, "mode": "Enforce", "merge": "PatchDefaults"}


async def test_lists_are_merged_by_name_when_two_apply(kinds: ApiServer) -> None:
    await kinds.create_namespace("merging")
    for manager, name in (("one", "a"), ("two", "b")):
        spec = {
            "targetRefs": [{"kind": "Service", "name": "x"}],
            "limits": [{"name": name, "requests": 1, "per": "1s"}],
        }
        meta = {"name": "shared", "namespace": "merging"}
        text = json.dumps(
            {
                "apiVersion": "breakwater.dev/v1alpha1",
                "kind": "RateLimitPolicy",
                "metadata": meta,
                "spec": spec,
            }
        )
        words = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-")
        await kinds.kubectl(*words, text=text)
    limits = (await kinds.get("rlp", "shared", "-n", "merging"))["spec"]["limits"]
    assert [limit["name"] for limit in limits] == ["a", "b"]


async def test_kubectl_explains_and_prints_them(kinds: ApiServer) -> None:
    explained = await kinds.kubectl("explain", "resiliencepolicies.spec.timeouts.perTry")
    assert "Time for one attempt until its response headers." in " ".join(explained.split())
    await kinds.create_namespace("printing")
    policy = minimal(SCHEMA.kinds["ResiliencePolicy"])
    policy["metadata"]["namespace"] = "printing"
    await kinds.apply(policy)
    status = {
        "observedGeneration": 1,
        "synced": "41/41",
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": kind,
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for kind in ("Accepted", "Programmed", "Synced")
        ],
    }
    where = ("resp", "spoilt", "-n", "printing")
    await kinds.kubectl(
        "patch", *where, "--subresource=status", "--type=merge", f"-p={json.dumps({'status': status})}"
    )
    for words in (where, ("mesh-policies", "-n", "printing")):
        head, line = (await kinds.kubectl("get", *words)).splitlines()
        assert head.split() == ["NAME", "TARGET", "ACCEPTED", "PROGRAMMED", "SYNCED", "AGE"]
        assert line.split()[1:5] == ["a", "True", "True", "41/41"]
    found = await kinds.kubectl(
        "get", "resp", "-n", "printing", "--field-selector=spec.mode=Enforce", "-o", "name"
    )
    assert found.strip().endswith("/spoilt")
