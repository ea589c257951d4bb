"""
Where bytes can go to, as one piece of text.

C{127.0.0.1:3000}, C{[::1]:3000}, C{app:3000}, C{app:preserve}, C{3000} (on this
machine), C{unix:/run/app.sock}, C{http://app:3000}, C{https://app:8443},
C{srv:_http._tcp.app.example}.
"""

from __future__ import annotations

import re
from typing import Literal

from ..values import dataclass
from . import names
from .model import Target

__all__ = ["Place", "parse", "port", "service", "unix"]

_LABEL = re.compile(r"_[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")

_EXPECTED = "host:port, unix:/path, http://host:port or https://host:port was expected"


@dataclass(frozen=True, slots=True)
class Place:
    """
    What a target says.

    @ivar target: Where it is.
    @ivar scheme: How it is spoken to, where that was written.
    """

    target: Target
    scheme: Literal["http", "https"] | None = None


def port(text: str) -> int:
    """
    The number of a port.

    @param text: Decimal digits.
    @return: 1..65535.
    @raise ValueError: It is none.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or not 0 < int(text) < 65536:
        raise ValueError("needs a port from 1 to 65535")
    return int(text)


def parse(text: str) -> Place:
    """
    Read a target.

    @param text: As somebody wrote it.
    @return: What it says.
    @raise ValueError: It is none; the message is the end of a sentence that
        begins with what was written.
    """
    if text.startswith("unix:"):
        return Place(unix(text.removeprefix("unix:").removeprefix("//")))
    if text.startswith("srv:"):
        return Place(service(text.removeprefix("srv:")))
    if text.isascii() and text.isdigit():
        return Place(Target("127.0.0.1", port(text)))
    for scheme, usual in (("http", 80), ("https", 443)):
        if text.lower().startswith(f"{scheme}://"):
            return Place(_authority(text[len(scheme) + 3 :], usual), "http" if usual == 80 else "https")
    if "://" in text:
        raise ValueError(f"cannot be a target: {_EXPECTED}")
    return Place(_authority(text, None))


def service(name: str) -> Target:
    """
    The targets that SRV records tell (RFC 2782).

    @param name: Of the records: a service and a protocol, each with an underscore, and
        a name.
    @raise ValueError: It is none.
    """
    lowered = name.lower().removesuffix(".")
    kind, _, rest = lowered.partition(".")
    protocol, _, host = rest.partition(".")
    if not _LABEL.fullmatch(kind) or protocol not in ("_tcp", "_tls") or not names.isHost(host):
        raise ValueError("needs the name of SRV records, _http._tcp.app.example for instance")
    return Target(lowered, None, isService=True)


def unix(path: str) -> Target:
    """
    A unix socket.

    @param path: Absolute, and short enough for C{sun_path} (unix(7)).
    @raise ValueError: It is not.
    """
    if not path.startswith("/"):
        raise ValueError("needs the absolute path of a unix socket, unix:/run/app.sock for instance")
    if "\0" in path or len(path.encode("utf-8", "surrogateescape")) > 107:
        raise ValueError("has a path that no unix socket can have (at most 107 bytes)")
    return Target(path, 0)


def _authority(text: str, usual: int | None) -> Target:
    """
    What follows the scheme of a URL, or stands without one.
    """
    if usual is not None:
        text = text.removesuffix("/")
    for sign, meaning in (("@", "user name"), ("/", "path"), ("?", "query"), ("#", "fragment")):
        if sign in text:
            more = ": rewrite.add_prefix puts a path before that of requests" if meaning == "path" else ""
            raise ValueError(f"has a {meaning}, but a target is only a host and a port{more}")
    return _hostPort(text, usual)


def _hostPort(text: str, usual: int | None) -> Target:
    """
    C{host:port}, with C{usual} where the port may be left out.
    """
    if text.startswith("["):
        bracketed, bracket, rest = text.partition("]")
        host, colon, number = bracketed + bracket, rest[:1], rest[1:]
        if not bracket or colon not in ("", ":"):
            raise ValueError(f"cannot be a target: {_EXPECTED}")
    else:
        host, colon, number = text.rpartition(":")
        if not colon:
            host, number = text, ""
        if ":" in host:
            raise ValueError("cannot be a target: write an IPv6 address in brackets, [::1]:3000 for instance")
    if colon and not host:
        raise ValueError(f"has no host: 127.0.0.1{text}, for instance, was expected")
    if not colon and usual is None:
        names.host(host)
        raise ValueError(f"has no port: {host}:3000, for instance, was expected")
    if number == "preserve" and usual is None:
        return Target(names.host(host), None)
    return Target(names.host(host), port(number) if colon else usual)
