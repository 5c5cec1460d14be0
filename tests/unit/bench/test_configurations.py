"""What the bench gives the targets is what they accept."""

from pathlib import Path

from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse
from tests.bench.site import Site


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
