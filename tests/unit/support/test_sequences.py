"""The driver of sequences, by machines that are known to fail."""

import pytest

from tests.support.drawn import integers
from tests.support.sequences import (
    Script,
    Told,
    ending,
    initialize,
    invariant,
    precondition,
    rule,
    shown,
    text,
)


class Counter:
    """Fails once three have come in and one has left."""

    @initialize(first=integers(0, 3))
    def start(self, first: int) -> None:
        self.count = first
        self.left = False

    @rule(more=integers(1, 5))
    def enter(self, more: int) -> None:
        self.count += more

    @precondition(lambda self: self.count)
    @rule()
    def leave(self) -> None:
        assert self.count > 0
        self.count, self.left = self.count - 1, True

    @invariant()
    def never_left_with_two(self) -> None:
        assert not (self.left and self.count >= 2)


def test_what_fails_is_shrunk_to_the_steps_that_matter() -> None:
    with pytest.raises(AssertionError) as caught:
        shown(Counter)()
    told = caught.value.__notes__[0].splitlines()
    assert told[0] == "Counter:"
    assert told[1:] in (["start(first=3)", "leave()"], ["start(first=0)", "enter(more=3)", "leave()"])


def test_a_step_of_zeros_is_none_and_digits_choose_rule_and_arguments() -> None:
    told: list[Told] = []
    Script(Counter)._play(0, [0, 2, 0, 2 * 4], told)
    assert list(map(text, told)) == ["start(first=0)", "enter(more=3)", "enter(more=5)"]


def test_what_is_marked_so_is_done_after_the_last_step() -> None:
    class Ended:
        @initialize()
        def start(self) -> None:
            self.count, self.ends = 0, 0

        @rule()
        def step(self) -> None:
            assert not self.ends
            self.count += 1

        @ending()
        def end(self) -> None:
            self.ends += 1
            ended.append((self.count, self.ends))

    ended: list[tuple[int, int]] = []
    Script(Ended).play(0, [1, 0, 1])
    assert ended == [(2, 1)]
