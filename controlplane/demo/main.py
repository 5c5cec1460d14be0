"""Plays the story: starts everything, runs the scenes, prints what was expected and what was measured."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from controlplane.demo.errors import DemoError
from controlplane.demo.load import Load
from controlplane.demo.mesh import Mesh, Store, running
from controlplane.demo.screen import Screen
from controlplane.demo.story import SCENES, Story
from controlplane.demo.topology import HOST


def play(*, keep: bool, store: Store) -> int:
    """Return 0 when every expectation held, 1 otherwise; with `keep`, only after an interrupt."""
    with tempfile.TemporaryDirectory(prefix="breakwater-demo-") as root:
        try:
            return asyncio.run(_play(Path(root), keep=keep, store=store))
        except DemoError as error:
            print(f"the demo stopped: {error}")
            return 1


async def _play(root: Path, *, keep: bool, store: Store) -> int:
    on = "on an etcd of three members" if store is Store.ETCD else "on an embedded store"
    print(f"starting a control plane {on}, four services with a sidecar each, and load: about 90 s")
    async with running(root, store) as mesh:
        base = f"http://{HOST}:{mesh.members['storefront'].inbound}"
        async with Load(base=base, host="storefront.shop") as load, Screen(mesh) as screen:
            story = Story(mesh=mesh, load=load, say=screen.say, began=asyncio.get_running_loop().time())
            for number, scene in enumerate(SCENES[store], start=1):
                story.scene = scene.__name__.replace("_", " ")
                screen.title = f"{number}/{len(SCENES[store])} {scene.__doc__ or ''}"
                screen.say(screen.title)
                await scene(story)
            held = _summary(story)
            if keep:
                await _left_running(mesh, screen)
    return 0 if held else 1


def _summary(story: Story) -> bool:
    story.say("")
    story.say("what was expected, and what was measured")
    for line in story.lines:
        story.say(f"  {'√' if line.held else '×'} {line.scene:24} {line.expected}: {line.measured}")
    failed = sum(not line.held for line in story.lines)
    story.say(f"{len(story.lines) - failed} of {len(story.lines)} held")
    return failed == 0


async def _left_running(mesh: Mesh, screen: Screen) -> None:
    admin = mesh.plane.admin_address
    screen.title = "left running; Ctrl-C ends it"
    screen.say(f"left running. Try: breakwater stat --admin {admin}   (also proxy-status, breakers, limits)")
    screen.say(f"policies to edit: {mesh.policies}   metrics: http://{HOST}:{mesh.plane.http}/metrics")
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
