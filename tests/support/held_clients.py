"""Clients that connect and never finish what they ask."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from support.command_line import HANGS


@contextmanager
def never_finishing(link: str, count: int) -> Iterator[list[socket.socket]]:
    """Connect `count` clients to the server at `link`, whose headers never end."""
    address = urlsplit(link)
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            one = socket.create_connection((address.hostname, address.port), timeout=HANGS)
            held.append(stack.enter_context(one))
            one.sendall(b"GET / HTTP/1.1\r\nX-Never: ")
        yield held


def has_ended(client: socket.socket) -> bool:
    """Whether the server has ended a connection by now; what it said is thrown away."""
    try:
        while select.select([client], [], [], 0)[0]:
            if not client.recv(65536):
                return True
    except ConnectionError:
        return True
    return False
