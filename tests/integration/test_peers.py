"""One replica asks another over TLS, whatever becomes of its certificate."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from controlplane.config import Address
from controlplane.credentials import Credentials
from controlplane.errors import PeerError
from controlplane.listen import Access, Lifetimes, Service, listening
from controlplane.model.replica import Replica, ReplicaId, Standing
from controlplane.peers.client import Peer
from controlplane.peers.server import PeerServer
from tests.support.pki import Authority
from tests.support.readiness import no_longer, until

if TYPE_CHECKING:
    from controlplane.peers.local import Local

TOKEN = "of-one-run"  # noqa: S105 (it opens a server on loopback that lives as long as a test)
STANDING = Standing(revision=7, is_complete=True, is_store_ready=True, connected=3, converged=2)
SHORT = Lifetimes(age=0.1, age_grace=0.1)  # so that connections are made anew all the time


class Stub:
    """What a replica says of itself."""

    async def standing(self) -> Standing:
        return STANDING


@dataclass
class Shown:
    """A keyring whose credentials the test replaces."""

    credentials: Credentials

    def __call__(self) -> Credentials:
        return self.credentials


def vouched(folder: Path) -> Credentials:
    """Return credentials of an authority of their own."""
    authority = Authority(folder)
    leaf = authority.leaf("controlplane")
    return Credentials(
        certificate=leaf.certificate.read_bytes(),
        key=leaf.key.read_bytes(),
        bundle=authority.certificate.read_bytes(),
    )


async def test_a_replica_is_asked_by_whoever_vouches_for_it_now(tmp_path: Path) -> None:
    shown = Shown(vouched(tmp_path / "first"))
    served = PeerServer(cast("Local", Stub()), TOKEN)
    service = Service("mesh.v1.PeerService", served.add_to)
    place = Address(host="127.0.0.1", port=0)
    async with listening("--listen", place, [service], Access(keyring=shown), SHORT) as address:
        peer = Peer(replica_at(address), shown)

        async def answers() -> bool:
            try:
                return await peer.standing() == STANDING
            except PeerError:
                return False

        await until(answers)
        shown.credentials = vouched(tmp_path / "second")
        await until(no_longer(answers))
        await peer.refresh()
        await until(answers)
        await peer.close()


def replica_at(address: Address) -> Replica:
    return Replica(
        id=ReplicaId("other"),
        name="other",
        address=str(address),
        version="1",
        started_at=datetime.now(UTC),
        token=TOKEN,
    )
