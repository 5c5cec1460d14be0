"""A small mesh: a control plane whose policies change as a test goes, and the sidecars that joined it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.cli.errors import RefusedError
from tests.support.documents import Document, text
from tests.support.mesh import SIDECAR, ControlPlane, Sidecar, controlplane, sidecar
from tests.support.readiness import Condition, until

CONVERGE_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What runs, and how to change its policies; `scratch` holds every log and state directory."""

    scratch: Path
    plane: ControlPlane
    policies: Path
    members: AsyncExitStack

    async def join(  # noqa: PLR0913 (a program's flags are its parameters)
        self,
        service: str,
        *,
        app_port: int,
        port_name: str = "http",
        program: Sequence[str] = SIDECAR,
        prefix: Sequence[str] = (),
        name: str = "",
    ) -> Sidecar:
        """Start the sidecar of a service; returns once it is ready and in the catalogue.

        `name` is its own in the mesh, where the service has several.
        """
        member = await self.members.enter_async_context(
            sidecar(
                self.scratch,
                service,
                app_port=app_port,
                discovery=self.plane.discovery,
                port_name=port_name,
                program=program,
                prefix=prefix,
                name=name,
            )
        )
        await member.ready()
        await until(self.has_endpoint(service), timeout_seconds=CONVERGE_TIMEOUT_SECONDS)
        return member

    async def put(self, name: str, *documents: Document) -> None:
        """Write one file of policies; returns once every sidecar applies it."""
        await self.write(name, text(*documents))

    async def write(self, name: str, content: str) -> None:
        """Write one file of valid policies as it is; returns once every sidecar applies it."""
        before = await self.revision()
        self.draft(name, content)
        await until(self.converged(after=before), timeout_seconds=CONVERGE_TIMEOUT_SECONDS)

    async def remove(self, name: str) -> None:
        """Remove one file of policies; returns once no sidecar applies it."""
        before = await self.revision()
        (self.policies / f"{name}.yaml").unlink()
        await until(self.converged(after=before), timeout_seconds=CONVERGE_TIMEOUT_SECONDS)

    def draft(self, name: str, content: str) -> None:
        """Write one file of policies, whole at once, and wait for nothing."""
        draft = self.policies / f"{name}.draft"
        draft.write_text(content)
        draft.replace(self.policies / f"{name}.yaml")

    async def revision(self) -> int:
        """Return the newest revision of the policy set."""
        return int((await self.ask("GetStatus"))["revision"])

    def converged(self, *, after: int = -1) -> Condition:
        """Return the condition that all sidecars apply a revision newer than `after`."""

        async def holds() -> bool:
            status = await self.ask("GetStatus")
            is_newer = int(status["revision"]) > after
            return is_newer and status["connectedSidecars"] == status["convergedSidecars"]

        return holds

    def has_endpoint(self, service: str) -> Condition:
        """Return the condition that the catalogue has an endpoint of a service."""

        async def holds() -> bool:
            try:
                answer = await self.ask("ListMeshEndpoints", {"service": named(service)})
            except RefusedError:
                return False  # nobody has registered it yet
            return bool(answer["endpoints"])

        return holds

    async def ask(self, method: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one RPC of AdminService, as `breakwater -o json` shows it."""
        return await self.plane.ask(method, request)


def named(service: str) -> dict[str, str]:
    """Return the name of a service, `namespace/name`, as requests carry it."""
    namespace, _, name = service.partition("/")
    return {"namespace": namespace, "name": name}


@asynccontextmanager
async def fleet(
    scratch: Path, *, store: str = "sqlite::memory:", flags: Sequence[str] = ()
) -> AsyncIterator[Fleet]:
    """Run a control plane without policies; its sidecars end with it."""
    policies = scratch / "policies"
    policies.mkdir()
    async with (
        controlplane(scratch, policies, store=store, flags=flags) as plane,
        AsyncExitStack() as members,
    ):
        yield Fleet(scratch=scratch, plane=plane, policies=policies, members=members)
