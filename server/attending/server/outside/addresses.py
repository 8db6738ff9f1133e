"""Connections that cannot be led astray: every address that a name resolves to is looked at, and that one is used.

A receiver's name belongs to somebody else, who may let it resolve to this network from one moment to the next. So it is
resolved here, each address is judged, and the connection goes to the judged address; TLS still asks for the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final

import httpcore

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All that is given out of IPv6 to the public internet (RFC 4291, section 2.4). Outside are old site-local addresses
(fec0::/10), a network's own translation to IPv4 (RFC 8215), and IPv4-compatible ones, which may lead inside.
"""


class AddressRefused(Exception):  # noqa: N818 - says what happened
    """A name resolves to an address that may not be connected to."""


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, also where IPv6 wraps one of IPv4 (RFC 4291, 6052, 3056)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if ip.teredo is not None:
            return False
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Addresses of a host, in the resolver's order. AddressRefused when any is private and that is not allowed: a name
    that has both is an attempt. Raises OSError.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not allow_private and not all(map(is_public, addresses)):
        raise AddressRefused
    return addresses


class JudgedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to judged addresses only."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await resolve(host, port, allow_private=self._allow_private)
        except OSError as err:
            raise httpcore.ConnectError from err
        error: Exception = httpcore.ConnectError()
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as err:
                error = err
        raise error

    async def connect_unix_socket(self, *_args: Any, **_more: Any) -> httpcore.AsyncNetworkStream:
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
