"""State machines that are shown thousands of sequences of steps by Hypothesis, with few draws for each.

A machine marks its steps as Hypothesis' own do: `initialize`, `rule`, `precondition`, `invariant`. A
sequence is some bytes for each step, from which rule and arguments follow, instead of a draw for each, which
is far cheaper. What fails is shrunk as any example is, and tells its steps; a step of zeros is none. Some
rules sit out each sequence, for what comes of many steps of few kinds. Functions marked `ending` check what
comes of all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tests.support.drawn import Choice, sampled_from, tuples
from tests.support.examples import thousands

START_BYTES = 32
SITS_OUT = sampled_from((False, False, False, True))

Fact: TypeAlias = Callable[[Any], Any]
Function = TypeVar("Function", bound=Callable[..., None])


@dataclass(slots=True)
class Part:
    """What a function is to its machine, when it may be called, and how its arguments are chosen."""

    kind: str
    arguments: Mapping[str, Choice[Any]] = field(default_factory=dict)
    is_ready: Fact = lambda _: True


def initialize(**arguments: Choice[Any]) -> Callable[[Function], Function]:
    """Mark the step that comes first."""
    return _marking(Part("initialize", arguments))


def rule(**arguments: Choice[Any]) -> Callable[[Function], Function]:
    """Mark one of the steps."""
    return _marking(Part("rule", arguments))


def invariant() -> Callable[[Function], Function]:
    """Mark what holds after each step."""
    return _marking(Part("invariant"))


def ending() -> Callable[[Function], Function]:
    """Mark what is done and checked after the last step."""
    return _marking(Part("ending"))


def _marking(part: Part) -> Callable[[Function], Function]:
    def mark(function: Function) -> Function:
        vars(function)["part"] = part
        return function

    return mark


def precondition(fact: Fact) -> Callable[[Function], Function]:
    """Mark a rule as one that has to wait until `fact` is true of the machine."""

    def mark(function: Function) -> Function:
        vars(function)["part"].is_ready = fact
        return function

    return mark


def shown(machine: type, *, steps: int = 10, count: int = 1, step_bytes: int = 16) -> Callable[[], None]:
    """Return the test that shows a machine so many thousand sequences, of about so many steps each.

    `step_bytes` have to be enough to choose a rule and its arguments.
    """
    script = Script(machine)

    def test(start: bytes, sequence: Sequence[bytes]) -> None:
        script.play(int.from_bytes(start), (int.from_bytes(step) for step in sequence))

    test.__name__ = machine.__name__  # by which Hypothesis tells apart what has failed before
    each = st.binary(min_size=step_bytes, max_size=step_bytes)
    sequences = st.lists(each, min_size=steps // 2, max_size=steps + steps // 2)
    starts = st.binary(min_size=START_BYTES, max_size=START_BYTES)
    return thousands(count)(given(start=starts, sequence=sequences)(test))


@dataclass(frozen=True, slots=True)
class Step:
    """A function of a machine that takes arguments, and the choice of them."""

    function: Callable[..., None]
    part: Part
    arguments: Choice[tuple[Any, ...]]

    def take(self, machine: object, digits: int, told: "list[Told]") -> int:
        """Do it with what the digits choose; returns those that are left."""
        values, rest = self.arguments.take(digits)
        arguments = dict(zip(self.part.arguments, values, strict=True))
        told.append((self.function.__name__, arguments))
        self.function(machine, **arguments)
        return rest


Told: TypeAlias = tuple[str, Mapping[str, Any]]
"""The name of a step that was done, and its arguments."""


class Script:
    """What a machine can do, in the order in which it is written."""

    def __init__(self, machine: type) -> None:
        self.machine = machine
        self.starts = list(steps_of(machine, "initialize"))
        self.rules = list(steps_of(machine, "rule"))
        self.invariants = [step.function for step in steps_of(machine, "invariant")]
        self.endings = [step.function for step in steps_of(machine, "ending")]
        self.sit_out = tuples(*[SITS_OUT] * len(self.rules))

    def play(self, start: int, steps: Iterable[int]) -> None:
        """Take a new machine through a sequence; an error notes the steps that led to it."""
        told: list[Told] = []
        try:
            self._play(start, steps, told)
        except Exception as error:
            error.add_note("\n".join([f"{self.machine.__name__}:", *map(text, told)]))
            raise

    def _play(self, start: int, steps: Iterable[int], told: list[Told]) -> None:
        machine = self.machine()
        sit_out, start = self.sit_out.take(start)
        for step in self.starts:
            start = step.take(machine, start, told)
        taking_part = [step for step, sits in zip(self.rules, sit_out, strict=True) if not sits] or self.rules
        self._check(machine)
        for digits in filter(None, steps):
            ready = [step for step in taking_part if step.part.is_ready(machine)]
            if ready:
                step, rest = sampled_from(ready).take(digits)
                step.take(machine, rest, told)
                self._check(machine)
        for function in self.endings:
            function(machine)

    def _check(self, machine: object) -> None:
        for function in self.invariants:
            function(machine)


def steps_of(machine: type, kind: str) -> Iterator[Step]:
    """Yield the functions of one kind."""
    for function in vars(machine).values():
        part = getattr(function, "part", None)
        if isinstance(part, Part) and part.kind == kind:
            yield Step(function, part, tuples(*part.arguments.values()))


def text(told: Told) -> str:
    """Return a step as it is called."""
    name, arguments = told
    return f"{name}({', '.join(f'{one}={value!r}' for one, value in arguments.items())})"
