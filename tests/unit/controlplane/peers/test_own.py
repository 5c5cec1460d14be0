"""Where a replica says that it is."""

import pytest

from controlplane.config import Address
from controlplane.errors import ListenError
from controlplane.peers.own import Own, reachable
from registry.config import EtcdLocation, SqliteLocation

ETCD = EtcdLocation(endpoints=("127.0.0.1:2379",))
ETCD_6 = EtcdLocation(endpoints=("[::1]:2379",))


@pytest.mark.parametrize(
    ("listen", "store", "expected"),
    [
        ("10.1.2.3", ETCD, "10.1.2.3:15010"),
        ("cart.example", ETCD, "cart.example:15010"),
        ("0.0.0.0", ETCD, "127.0.0.1:15010"),  # noqa: S104 (nobody listens)
        ("::", ETCD_6, "[::1]:15010"),
        ("0.0.0.0", SqliteLocation(path=None), "127.0.0.1:15010"),  # noqa: S104 (the same)
    ],
)
async def test_replica_is_reached_where_it_listens_or_where_it_reaches_the_store(
    listen: str, store: EtcdLocation | SqliteLocation, expected: str
) -> None:
    assert str(await reachable(Address(host=listen, port=15010), store)) == expected


async def test_member_whose_name_leads_nowhere_is_passed_over() -> None:
    location = EtcdLocation(endpoints=("nowhere.invalid:2379", "127.0.0.1:2379"))
    assert str(await reachable(Address(host="::", port=15010), location)) == "127.0.0.1:15010"


async def test_replica_that_cannot_say_where_it_is_says_what_to_do() -> None:
    unknown = EtcdLocation(endpoints=("nowhere.invalid:2379",))
    with pytest.raises(ListenError, match="give another with --listen"):
        await reachable(Address(host="::", port=15010), unknown)


async def test_name_has_the_port_unless_it_is_the_usual_one() -> None:
    store = SqliteLocation(path=None)
    usual = await Own().at(Address(host="127.0.0.1", port=15010), store)
    other = await Own().at(Address(host="127.0.0.1", port=15110), store)
    assert other.name == f"{usual.name}:15110"


def test_every_run_has_a_name_and_a_token_of_its_own() -> None:
    one, other = Own(), Own()
    assert one.id != other.id
    assert one.token != other.token
