"""The revision of a replica's set, from what it has in force and what the history says."""

from dataclasses import replace

from controlplane.history.fingerprint import Fingerprint
from controlplane.history.ledger import Ledger
from controlplane.history.numbering import Numbering, change, exceed, hear
from controlplane.history.record import PolicySet
from tests.support.history import summary

A, B, C = (Fingerprint(bytes([number]) * 32) for number in (1, 2, 3))


def ledger(*sets: Fingerprint, first: int = 1) -> Ledger:
    """The history of sets, each at the next revision."""
    summaries = {revision: summary(revision, one) for revision, one in enumerate(sets, first)}
    newest = PolicySet(fingerprint=sets[-1]) if sets else PolicySet()
    return Ledger(revision=max(summaries, default=0), policies=newest, summaries=summaries)


def recorded(revision: int, fingerprint: Fingerprint) -> Numbering:
    return Numbering(fingerprint=fingerprint, revision=revision)


def owed(revision: int, fingerprint: Fingerprint) -> Numbering:
    return Numbering(fingerprint=fingerprint, revision=revision, is_owed=True)


def test_no_documents_and_no_history_are_revision_zero() -> None:
    assert change(Numbering(), PolicySet().fingerprint, Ledger()) == recorded(0, PolicySet().fingerprint)


def test_set_of_the_newest_record_has_its_revision() -> None:
    assert change(Numbering(), B, ledger(A, B)) == recorded(2, B)


def test_another_set_is_the_next_revision_and_owed() -> None:
    assert change(recorded(2, B), C, ledger(A, B)) == owed(3, C)


def test_a_set_that_was_in_force_before_a_restart_is_a_new_revision() -> None:
    assert change(Numbering(), A, ledger(A, B)) == owed(3, A)


def test_replica_that_is_behind_takes_the_revision_of_each_record_in_turn() -> None:
    history = ledger(A, B, A, C)
    numbering = recorded(1, A)
    seen = []
    for fingerprint in (B, A, C):
        numbering = change(numbering, fingerprint, history)
        seen.append(numbering.revision)
    assert seen == [2, 3, 4]
    assert not numbering.is_owed


def test_owed_set_is_settled_by_whoever_records_it() -> None:
    assert hear(owed(3, C), ledger(A, B, C)) == recorded(3, C)
    assert hear(owed(3, C), ledger(A, B, A, C)) == recorded(4, C)


def test_owed_set_moves_past_what_others_recorded() -> None:
    assert hear(owed(3, C), ledger(A, B, A)) == owed(4, C)


def test_replica_with_other_files_does_not_answer_a_record_of_another_set() -> None:
    assert hear(recorded(2, B), ledger(A, B, C)) == recorded(2, B)


def test_number_of_a_record_that_was_deleted_does_not_come_again() -> None:
    assert change(Numbering(), A, replace(ledger(), counted=41)) == owed(42, A)
    assert hear(owed(1, A), replace(ledger(), counted=41)) == owed(42, A)


def test_set_that_another_replica_brings_back_has_its_new_revision() -> None:
    assert hear(recorded(2, B), ledger(A, B, C, B)) == recorded(4, B)


def test_undoing_what_was_never_recorded_takes_a_number_too() -> None:
    assert change(owed(3, C), B, ledger(A, B)) == owed(4, B)


def test_store_that_went_back_hears_of_the_set_again() -> None:
    assert hear(recorded(9, B), ledger(A)) == owed(9, B)


def test_policies_restored_with_an_older_store_are_a_newer_revision() -> None:
    older = ledger(A)
    assert change(recorded(9, B), A, older) == owed(10, A)
    assert change(hear(recorded(9, B), older), A, older) == owed(10, A)


def test_revision_exceeds_what_a_sidecar_has_seen() -> None:
    assert exceed(recorded(2, B), 9) == owed(10, B)
    assert exceed(owed(10, B), 9) == owed(10, B)
    assert hear(owed(10, B), ledger(A, B)) == owed(10, B)


def test_absurd_revision_of_a_sidecar_is_not_believed() -> None:
    assert exceed(recorded(2, B), 1 << 62) == recorded(2, B)
    assert exceed(recorded(2, B), -1) == recorded(2, B)


def test_revision_never_goes_back_whatever_is_heard() -> None:
    numbering = owed(7, C)
    for history in (ledger(), ledger(A, B), ledger(C), replace(ledger(C), revision=1)):
        assert hear(numbering, history).revision >= 7
        assert change(numbering, A, history).revision > 7
