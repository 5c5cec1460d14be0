"""The history made of what is stored: whole or from a checkpoint, trimmed from its old end."""

import zlib
from collections.abc import Iterable, Iterator

import pytest

from controlplane.history import codec, ledger
from controlplane.history.codec import decode_record, encode_record, encode_set
from controlplane.history.fingerprint import Fingerprint
from controlplane.history.keys import CHECKPOINTS, RECORDS, REVISION_KEY, Place, piece_key
from controlplane.history.ledger import Ledger, follow, is_checkpoint_due, read, surplus
from controlplane.history.record import (
    Cause,
    Change,
    Item,
    Origin,
    PolicySet,
    Record,
    compose,
    evolve,
    is_same,
    squash,
    undo,
)
from registry.model import Revision
from registry.store import Delete, Entry, Put
from tests.support.history import AT, FILE, item, key


def records(count: int) -> Iterator[tuple[Record, PolicySet]]:
    """Records that change one of three objects each, every seventh deleting it, and the sets after them."""
    policies = PolicySet()
    for revision in range(1, count + 1):
        after = None if revision % 7 == 0 else item(f"text {revision}")
        record = compose(policies, {key(f"p{revision % 3}"): after}, revision, AT, FILE)
        policies = evolve(policies, record.changes)
        yield record, policies


def entries(folder: str, revision: int, pieces: Iterable[bytes]) -> Iterator[Entry]:
    for piece, value in enumerate(pieces):
        yield Entry(key=piece_key(folder, revision, piece), value=value, revision=Revision(1000 + revision))


def stored(count: int) -> tuple[list[Entry], PolicySet]:
    """All records as the store holds them, and the newest set."""
    made = list(records(count))
    return [entry for record, _ in made for entry in record_entries(record)], made[-1][1]


def record_entries(record: Record) -> Iterator[Entry]:
    return entries(RECORDS, record.revision, encode_record(record))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "PIECE_BYTES", 60)


def test_records_alone_make_the_newest_set() -> None:
    found, policies = stored(20)
    history = read(found)
    assert (history.revision, history.position, history.policies) == (20, 1020, policies)
    assert list(history.summaries) == list(range(1, 21))


def test_checkpoint_stands_for_the_records_before_it() -> None:
    made = list(records(20))
    kept = [*entries(CHECKPOINTS, 12, encode_set(made[11][1]))]
    kept += [entry for record, _ in made[8:] for entry in record_entries(record)]
    history = read(kept)
    assert (history.revision, history.checkpoint, history.policies) == (20, 12, made[-1][1])
    assert min(history.summaries) == 9


def test_checkpoint_that_is_not_whole_is_passed_over(small_pieces: None) -> None:
    del small_pieces
    made = list(records(20))
    whole, broken = (list(entries(CHECKPOINTS, at, encode_set(made[at - 1][1]))) for at in (5, 12))
    kept = whole + broken[1:] + [entry for record, _ in made for entry in record_entries(record)]
    history = read(kept)
    assert (history.checkpoint, history.policies) == (5, made[-1][1])


def test_following_ends_where_reading_would(small_pieces: None) -> None:
    del small_pieces
    found, _ = stored(12)
    history = Ledger()
    for entry in sorted(found, key=lambda entry: (entry.revision, entry.key.endswith("/000"))):
        history = follow(history, [Put(entry=entry)])
    assert history == read(found)
    assert len(history.sizes) > 12


def test_record_without_its_first_piece_is_not_there_yet(small_pieces: None) -> None:
    del small_pieces
    first, *others = record_entries(next(records(1))[0])
    assert others
    before = read(others)
    assert (before.revision, before.summaries) == (0, {})
    assert before.next_revision == 2
    assert follow(before, [Put(entry=first)]).revision == 1


def test_record_that_cannot_be_read_is_named_and_keeps_its_number() -> None:
    found, _ = stored(2)
    broken = Entry(key=piece_key(RECORDS, 3, 0), value=b"\0\1rubbish", revision=Revision(9000))
    history = read([*found, broken])
    assert (history.revision, history.position, list(history.unreadable)) == (3, 9000, [3])


def test_what_is_gone_from_the_store_is_forgotten() -> None:
    found, policies = stored(3)
    history = follow(read(found), [Delete(key=found[0].key, revision=Revision(2000))])
    assert list(history.summaries) == [2, 3]
    assert Place(1, 0) not in history.sizes
    assert history.policies == policies


def test_other_keys_are_no_part_of_the_history() -> None:
    entry = Entry(key=REVISION_KEY, value=b"7", revision=Revision(5))
    assert follow(Ledger(), [Put(entry=entry)]) == read([entry]) == Ledger()


def test_only_records_that_a_checkpoint_stands_for_are_surplus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RECORDS_MAX", 5)
    made = list(records(8))
    found = [entry for record, _ in made for entry in record_entries(record)]
    assert surplus(read(found), 1, 100) == ()
    found += entries(CHECKPOINTS, 2, encode_set(made[1][1]))
    assert surplus(read(found), 1, 100) == tuple(entry.key for entry in found[:2])
    assert surplus(read(found), 1, 1) == (found[0].key,)


def test_bytes_are_bounded_as_records_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list(records(8))
    found = [entry for record, _ in made for entry in record_entries(record)]
    found += entries(CHECKPOINTS, 8, encode_set(made[-1][1]))
    monkeypatch.setattr(ledger, "BYTES_MAX", 1000)
    assert surplus(read(found), 1001, 100) == tuple(entry.key for entry in found[:7])


def test_checkpoint_is_due_after_many_records_or_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = stored(10)
    assert not is_checkpoint_due(read(found))
    monkeypatch.setattr(ledger, "CHECKPOINT_RECORDS", 10)
    assert is_checkpoint_due(read(found))
    monkeypatch.setattr(ledger, "CHECKPOINT_RECORDS", 11)
    monkeypatch.setattr(ledger, "CHECKPOINT_BYTES", 100)
    assert is_checkpoint_due(read(found))


def test_a_record_survives_the_store() -> None:
    for record, _ in records(8):
        assert decode_record(encode_record(record)) == record


STORED = """{
  "revision": 7, "at": "2026-11-25T12:00:00Z", "fingerprint": "AQ==",
  "cause": {"origin": "rollback", "author": "ada", "of": 3},
  "changes": [{
    "key": ["ResiliencePolicy", "shop", "cart"], "before": null,
    "after": {
      "text": "kind: ResiliencePolicy", "source": "admin", "generation": 2,
      "created_at": "2026-11-25T12:00:00Z",
      "fingerprint": "Ag==", "revision": 7
    }
  }]
}"""


def test_what_is_stored_keeps_its_form() -> None:
    record = decode_record([b"\0\1" + zlib.compress(STORED.encode())])
    [change] = record.changes
    after = Item(
        text="kind: ResiliencePolicy",
        source="admin",
        generation=2,
        created_at=AT,
        fingerprint=Fingerprint(b"\2"),
        revision=7,
    )
    assert change == Change(key=key("cart"), after=after)
    assert (record.revision, record.at, record.fingerprint) == (7, AT, b"\1")
    assert record.cause == Cause(origin=Origin.ROLLBACK, author="ada", of=3)


def test_changes_together_leave_out_what_only_came_and_went() -> None:
    made = [record for record, _ in records(7)]  # p0, p1, p2 in turn; the seventh deletes p1
    together = squash(made)
    assert [(change.key.name, change.before) for change in together] == [("p0", None), ("p2", None)]
    assert [change.key.name for change in squash(made[4:])] == ["p0", "p1", "p2"]


def test_undone_changes_lead_back() -> None:
    made = list(records(15))
    together = squash(record for record, _ in made[6:])
    back = evolve(made[-1][1], undo(together))
    assert all(
        is_same(back.items.get(one), made[5][1].items.get(one)) for one in map(key, ("p0", "p1", "p2"))
    )
    assert undo(undo(together)) == together


def test_a_set_has_one_fingerprint_however_it_came_about() -> None:
    a, b = (Change(key=key(name), after=item(name)) for name in ("a", "b"))
    gone = Change(key=key("b"), before=item("b"))
    assert evolve(PolicySet(), [a, b, gone]).fingerprint == evolve(PolicySet(), [a]).fingerprint
    assert evolve(PolicySet(), [a, b]).fingerprint == evolve(PolicySet(), [b, a]).fingerprint
    assert evolve(PolicySet(), [a, b]).fingerprint != evolve(PolicySet(), [a]).fingerprint
