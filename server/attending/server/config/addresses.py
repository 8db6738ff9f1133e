"""Addresses that a configuration names: whether one is this machine's, and whether it may be asked."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """The host that a URL names; empty when it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host, by address or as `localhost`, is this machine; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def flaw_of_url(url: str) -> str | None:
    """What is wrong with the address of a provider, in words without its value; None when it may be asked."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme == "http" and not is_loopback(host):
        return "needs https; http is for this machine only"
    if parts.scheme not in ("http", "https") or not host:
        return "is not an https address"
    if "@" in parts.netloc or parts.fragment or parts.query or not url.isascii() or re.search(r"\s", url):
        return "has a part that it may not have: user, query or fragment"
    return None


def flaw_of_base(url: str, *, allow_private: bool) -> str | None:
    """The same of a base address that paths are put behind."""
    if (wrong := flaw_of_url(url)) is not None:
        return wrong
    if url.endswith("/"):
        return "ends in a slash: leave it out"
    if is_loopback(host_of(url)) and not allow_private:
        return "is on this machine: set `allow_private` if that is meant"
    return None
