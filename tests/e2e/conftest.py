"""What the fault tests share: a network of their own, the lengths of faults, and the table at the end."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.etcd import tool
from tests.support.faults.isolation import isolate
from tests.support.faults.judge import Expectation, Judge, render, save
from tests.support.faults.lengths import LONG, SHORT, Lengths

REPORT = Path("build", "faults.json")
LINES = pytest.StashKey[list[Expectation]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="faults last as long as the promises say")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    """A network of our own for the whole run."""
    tool("etcd")  # building it may need the network that is left here
    isolate()


@pytest.fixture
def lengths(request: pytest.FixtureRequest) -> Lengths:
    """How long faults last in this run."""
    return LONG if request.config.getoption("--long") else SHORT


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    """The judge of one test, whose fault is named by its `fault` marker."""
    judge = Judge(fault_of(request.node))
    yield judge
    lines = request.config.stash[LINES]
    lines += judge.lines
    save(lines, request.config.rootpath / REPORT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a line for a test that has no judge, or broke down before it could ask one."""
    report = yield
    is_judged = "judge" in getattr(item, "fixturenames", ())
    is_surprised = call.excinfo is not None and not (is_judged and call.excinfo.errisinstance(AssertionError))
    if is_surprised or (call.when == "call" and not is_judged):
        told = innermost(call.excinfo.value) if call.excinfo else f"in {call.duration:.0f} s"
        line = Expectation(fault=fault_of(item), expected=sentence(item), measured=told, held=report.passed)
        item.config.stash[LINES].append(line)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash[LINES]
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line(render(lines))
        save(lines, terminalreporter.config.rootpath / REPORT)


def innermost(error: BaseException) -> str:
    """Return the first line of an error, of the first one if it is a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]


def fault_of(item: pytest.Item) -> str:
    """Return the name of the fault that a test is about; without one, what its module is about."""
    marker = item.get_closest_marker("fault")
    return str(marker.args[0]) if marker else item.path.stem.removeprefix("test_").replace("_", " ")


def sentence(item: pytest.Item) -> str:
    """Return the name of a test as what it says."""
    return item.name.removeprefix("test_").replace("_", " ")
