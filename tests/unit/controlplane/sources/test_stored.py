"""What the admin API keeps is read back as it was."""

from dataclasses import replace
from datetime import UTC, datetime

from controlplane.model.text import document_text
from controlplane.sources import stored
from controlplane.sources.codec import load_schema
from controlplane.sources.reader import parse

POLICY = """
apiVersion: breakwater.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: caps, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: cart}]
  limits: [{name: all, requests: 7, per: 1s}]
"""


def test_a_kept_document_is_read_back_with_its_history() -> None:
    schema = load_schema()
    (written,) = parse(POLICY, stored.FILE, schema).documents
    created_at = datetime(2026, 11, 25, 16, 30, tzinfo=UTC)
    kept = replace(written, generation=3, created_at=created_at)
    read = stored.decode(stored.key_of(kept.key), stored.encode(kept, document_text(kept, schema)), schema)
    assert tuple(read.problems) == ()
    assert tuple(read.documents) == (kept,)


def test_what_is_no_document_is_a_problem_with_its_key() -> None:
    (problem,) = stored.decode("/breakwater/policies/x", b"garbage", load_schema()).problems
    assert problem.object == "/breakwater/policies/x"
