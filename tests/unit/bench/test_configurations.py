"""What the bench gives the targets is what they accept."""

from pathlib import Path

import pytest

from controlplane.policy import backpressure, resilience
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse
from tests.bench.site import Site

EVERYTHING = {
    "caller.yaml": {"ResiliencePolicy", "RateLimitPolicy", "FaultPolicy", "HTTPRoute"},
    "callee.yaml": {"RateLimitPolicy", "BackpressurePolicy"},
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_at_once_has_no_problem_and_leaves_no_block_out(name: str, tmp_path: Path) -> None:
    site = Site(origin_port=9001, scratch=tmp_path, load_core=0, proxy_core=1)
    parsed = parse(site.render(name, tmp_path / name).read_text(), name, load_schema())
    assert list(map(str, parsed.problems)) == []
    assert {document.key.kind for document in parsed.documents} - {"ExternalService"} == EVERYTHING[name]
    blocks = {
        "ResiliencePolicy": resilience.BLOCKS,
        "BackpressurePolicy": backpressure.BLOCKS,
        "RateLimitPolicy": ("limits",),
    }
    for document in parsed.documents:
        assert set(blocks.get(document.key.kind, ())) <= document.spec.keys()


def test_our_policies_have_no_problem_and_cover_every_kind_that_governs_traffic(tmp_path: Path) -> None:
    site = Site(origin_port=9001, scratch=tmp_path, load_core=0, proxy_core=1)
    file = site.render("breakwater.yaml", tmp_path / "bench.yaml")
    parsed = parse(file.read_text(), file.name, load_schema())
    assert list(parsed.problems) == []
    assert [document.key.kind for document in parsed.documents] == [
        "ExternalService",
        "ResiliencePolicy",
        "RateLimitPolicy",
    ]
