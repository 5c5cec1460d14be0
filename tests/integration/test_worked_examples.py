"""The worked example of every page of the policies, run as it stands: through two sidecars, with sockets."""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.support import worked
from tests.support.commandline import Outcome, breakwater, breakwater_with
from tests.support.documents import text
from tests.support.fleet import Fleet, fleet
from tests.support.framing import Message
from tests.support.mesh import Sidecar
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.reference import PAGE
from tests.support.upstream import NO_ANSWER, OK, ScriptedUpstream, Send, response
from tests.support.worked import Command, Example, Said, is_as_printed

pytestmark = pytest.mark.asyncio(loop_scope="module")

# `reference` is generated, `names` is a table, and what `sidecar-profile` says is about YAML, not calls.
NO_CALLS = {"reference", "names", "sidecar-profile"}
PAGES = sorted(page for page in PAGE.parent.glob("*.md") if page.stem not in NO_CALLS)
INJECTION = PAGE.parent / "sidecar-profile.md"
PROFILES = "profiles.yaml"
OUTSIDE = "9001"  # the port of an endpoint outside the mesh, as examples write it


@dataclass(slots=True)
class Stage:
    """`shop/web`, which calls, `shop/cart`, which is called, and an application outside the mesh."""

    mesh: Fleet
    caller: Sidecar
    cart: ScriptedUpstream
    outside: ScriptedUpstream
    under_way: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def play(self, example: Example) -> None:
        """Put the documents in force, and do what the session does."""
        documents = text(*example.documents).replace(OUTSIDE, str(self.outside.port))
        for app in (self.cart, self.outside):
            app.answer = lambda _: OK
            app.forget()
        async with self.applied(documents), AsyncExitStack() as self.under_way:
            for step in example.session:
                if isinstance(step, Said):
                    self.said(step.text)
                else:
                    await self.run(step)

    @asynccontextmanager
    async def applied(self, documents: str) -> AsyncIterator[None]:
        """Have documents in force."""
        await self.mesh.write("worked", documents)
        yield
        await self.mesh.remove("worked")

    def said(self, said: str) -> None:
        """Have the application do what is said, or check what it saw."""
        if found := re.fullmatch(r"cart answers (\d{3})", said):
            status = int(found[1])
            self.cart.answer = lambda _: (Send(response(status)),)
        elif said == "cart answers nothing":
            self.cart.answer = lambda _: NO_ANSWER
        elif found := re.fullmatch(r"cart was called (\d+) times?", said):
            assert len(self.cart.requests) == int(found[1])
        else:
            raise ValueError(f"expected what the application does or saw, found {said!r}")

    async def run(self, command: Command) -> None:
        """Run a command, and check what it prints."""
        program, *words = command.words
        if program == "curl":
            await self.curl(words, command)
        elif program == "breakwater":
            shows(await breakwater(*words, admin=self.mesh.plane.admin), command)
        else:
            raise ValueError(f"expected curl or breakwater, found {program}")

    async def curl(self, words: list[str], command: Command) -> None:
        asked = _curl(words)
        client = await self.under_way.enter_async_context(RawClient(self.caller.outbound))
        before = len(self.cart.requests)
        headers = dict(header.split(": ", 1) for header in asked.header)
        path = urlsplit(asked.url)._replace(scheme="", netloc="").geturl()
        await client.ask(path, host=urlsplit(asked.url).netloc, method=asked.request, **headers)
        if command.is_in_background:
            await until(that(lambda: len(self.cart.requests) > before))
        else:
            is_as_said(await client.response(), command.printed)


def shows(outcome: Outcome, command: Command) -> None:
    """Check what a command of ours printed."""
    assert outcome.code == 0, outcome.talk
    for line in command.printed:
        has_all = re.compile(r"\s+.*?".join(map(re.escape, line.split())))
        assert has_all.search(outcome.out), f"expected {line!r}, found {outcome.out}"


def _curl(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("-i", action="store_true", required=True)
    parser.add_argument("-X", dest="request", default="GET")
    parser.add_argument("-H", dest="header", action="append", default=[])
    parser.add_argument("url")
    return parser.parse_args(words)


def is_as_said(answer: Message, printed: tuple[str, ...]) -> None:
    """Check an answer against the lines that show it: its status, then fields, or the whole body."""
    status, *lines = printed
    assert answer.start_line.split(b" ")[1].decode() == status.split(" ")[1]
    for line in lines:
        name, colon, value = line.partition(": ")
        is_field = colon and re.fullmatch(r"[a-z-]+", name)
        found = answer.text(name) if is_field else answer.body.decode()
        assert is_as_printed(value if is_field else line, found or ""), f"expected {line!r}, found {found!r}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    scratch = tmp_path_factory.mktemp("stage")
    async with ScriptedUpstream() as cart, ScriptedUpstream() as outside, fleet(scratch) as mesh:
        await mesh.join("shop/cart", app_port=cart.port)
        yield Stage(mesh, await mesh.join("shop/web", app_port=outside.port), cart, outside)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_a_worked_example_works(stage: Stage, page: Path) -> None:
    await asyncio.wait_for(stage.play(worked.read(page)), timeout=60)


async def test_the_worked_example_of_injection_works(tmp_path: Path) -> None:
    example = worked.read(INJECTION)
    (tmp_path / PROFILES).write_text(text(*example.documents))
    for command in example.session:
        assert isinstance(command, Command)
        program, *words = command.words
        if program == "cat":
            (tmp_path / words[0]).write_text("\n".join(command.printed))
            continue
        assert program == "breakwater"
        here = [str(tmp_path / word) if word.endswith(".yaml") else word for word in words]
        shows(await breakwater_with({"HOME": str(tmp_path)}, *here), command)
