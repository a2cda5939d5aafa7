"""Where a delivery may go: public addresses only, unless the operator allows a private one.

The address that was looked at is the one that is connected to: a name that answers otherwise the
second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from tanzheng.feed.errors import FeedInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Say whether `address`, and any IPv4 address inside it, is one of the public internet."""
    inside: list[Address | None] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inside += [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return all(one is None or (one.is_global and not one.is_multicast) for one in inside)


def check_url(url: str, allow_http: bool) -> None:
    """Return where `url` is one to deliver to; `FeedInput` says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        raise FeedInput(f"webhook: expected https://, got {url!r:.200}")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise FeedInput(f"webhook: expected a host, no user and no fragment, got {url!r:.200}")


async def resolve(url: str, allow_private: bool) -> Address:
    """The address to connect to for `url`; `FeedInput` where the name has a private one."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise FeedInput(f"webhook: expected an address of {parts.hostname}, got {error}") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    private = [str(address) for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise FeedInput(
            f"webhook: expected public addresses of {parts.hostname}, got {', '.join(private)}; "
            "allow it with --private where you mean it"
        )
    return addresses[0]
