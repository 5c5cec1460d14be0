"""What was looked at last."""

from controlplane.kubernetes.seen import Seen


def test_what_was_noted_is_seen_until_any_of_it_is_another() -> None:
    seen, snapshot = Seen(), ["the same to read"]
    assert not seen.has(snapshot, 1_000)
    seen.note(snapshot, 1_000)
    assert seen.has(snapshot, int("1000"))
    assert not seen.has(snapshot, 1_001)
    assert not seen.has(["the same to read"], 1_000)


def test_object_in_the_place_of_one_that_is_gone_is_new() -> None:
    seen = Seen()
    for _ in range(100):
        assert not seen.has(object())
        seen.note(object())
