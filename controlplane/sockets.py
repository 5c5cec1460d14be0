"""Sockets that listen where people say."""

import socket
from typing import Final

from controlplane.config import Address
from controlplane.errors import ListenError

EVERYWHERE: Final = "::"
_BACKLOG: Final = 128


def listener(flag: str, address: Address) -> socket.socket:
    """A socket that listens at `address`; `::` is every address that this host has, of IPv4 as well.

    Raises:
        ListenError: the address cannot be listened on.
    """
    is_both = address.host == EVERYWHERE and socket.has_dualstack_ipv6()
    host = "0.0.0.0" if address.host == EVERYWHERE and not is_both else address.host  # noqa: S104 (as asked)
    try:
        (family, *_, place), *_ = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
        return socket.create_server(
            (str(place[0]), int(place[1])), family=family, backlog=_BACKLOG, dualstack_ipv6=is_both
        )
    except OSError as error:
        raise ListenError(flag, str(address), error.strerror or str(error)) from error
