"""
How a client is introduced to a target: the header of the PROXY protocol that goes
before everything else on a connection to it, TLS included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..plane.accept import addressOf
from ..plane.binding import isResumed
from ..plane.identity import commonNameOf
from ..wire.proxyheader import ALPN, AUTHORITY, TLV, Secured, render, renderSecured

if TYPE_CHECKING:
    from OpenSSL import SSL

    from ..config.model import ProxyHeader
    from ..facts import Address, ConnectionFacts
    from ..plane.wires import Wire

__all__ = ["Client", "introduction"]

_IS_TLS, _SHOWN_NOW, _SHOWN_ONCE = 1, 2, 4
_VERSION, _COMMON_NAME, _CIPHER = 0x21, 0x22, 0x23


class Client(Protocol):
    """
    On whose behalf a target is connected to.

    @ivar connection: What is known of the client.
    @ivar wire: Its connection.
    """

    @property
    def connection(self) -> ConnectionFacts:
        """See above."""

    @property
    def wire(self) -> Wire:
        """See above."""


def introduction(settings: ProxyHeader, client: Client | None) -> bytes:
    """
    @param settings: What is to be said.
    @param client: Of whom; L{None}: nobody is spoken for.
    @return: The header.
    """
    if client is None:
        return render(settings.version, None, None)
    facts = client.connection
    server = facts.server or _local(client.wire)
    tlvs = () if settings.version == 1 else _tlvs(settings, client)
    return render(settings.version, facts.client, server, tlvs, isChecked="crc32c" in settings.tlvs)


def _local(wire: Wire) -> Address | None:
    """
    @return: What the client connected to; L{None} where its connection is gone.
    """
    try:
        return addressOf(wire.sock.getsockname())
    except OSError:
        return None


def _tlvs(settings: ProxyHeader, client: Client) -> list[TLV]:
    facts = client.connection
    # Of what is passed through nothing is known but what it asks for.
    ended: SSL.Connection | None = getattr(client.wire, "connection", None)
    found: list[TLV] = []
    for each in settings.tlvs:
        if each == "authority" and facts.serverName is not None:
            found.append((AUTHORITY, facts.serverName.encode("ascii")))
        elif each == "alpn" and ended is not None and (agreed := ended.get_alpn_proto_negotiated()):
            found.append((ALPN, agreed))
        elif each == "ssl" and ended is not None:
            found.append(renderSecured(_secured(ended)))
    return found


def _secured(ended: SSL.Connection) -> Secured:
    tlvs = [(_VERSION, ended.get_protocol_version_name().encode("ascii"))]
    flags = _IS_TLS
    name = commonNameOf(ended)
    if name is not None:
        # Without being valid it would not have come so far.
        flags |= _SHOWN_ONCE | (0 if isResumed(ended) else _SHOWN_NOW)
        if name:
            tlvs.append((_COMMON_NAME, name.encode("utf-8")))
    tlvs.append((_CIPHER, (ended.get_cipher_name() or "").encode("ascii")))
    return Secured(flags, int(name is None), tuple(tlvs))
