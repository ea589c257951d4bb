"""
ClientHellos for tests: built by hand byte for byte, or taken from OpenSSL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from OpenSSL import SSL

__all__ = [
    "alpn",
    "body",
    "extension",
    "fromOpenSSL",
    "hello",
    "message",
    "records",
    "serverName",
    "versions",
]


def vector(data: bytes, width: int) -> bytes:
    """
    C{data} behind its length in C{width} bytes.
    """
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    """
    One extension.
    """
    return kind.to_bytes(2, "big") + vector(data, 2)


def serverName(name: bytes, kind: int = 0) -> bytes:
    """
    A server_name extension with one name.
    """
    return extension(0, vector(bytes([kind]) + vector(name, 2), 2))


def alpn(*protocols: bytes) -> bytes:
    """
    An ALPN extension.
    """
    return extension(16, vector(b"".join(vector(protocol, 1) for protocol in protocols), 2))


def versions(*numbers: int) -> bytes:
    """
    A supported_versions extension.
    """
    return extension(43, vector(b"".join(number.to_bytes(2, "big") for number in numbers), 1))


def body(
    extensions: Iterable[bytes] | None = (),
    *,
    version: int = 0x0303,
    session: bytes = bytes(32),
    suites: bytes = b"\x13\x01\x13\x02",
    methods: bytes = b"\0",
) -> bytes:
    """
    The body of a ClientHello; without a block of extensions for L{None}.
    """
    block = b"" if extensions is None else vector(b"".join(extensions), 2)
    return (
        version.to_bytes(2, "big")
        + bytes(range(32))
        + vector(session, 1)
        + vector(suites, 2)
        + vector(methods, 1)
        + block
    )


def message(content: bytes, kind: int = 1) -> bytes:
    """
    A handshake message.
    """
    return bytes([kind]) + vector(content, 3)


def records(data: bytes, sizes: Sequence[int] = (16384,), version: int = 0x0301) -> bytes:
    """
    C{data} in handshake records of these sizes; the last one is used again and
    again until nothing is left.
    """
    found = []
    place = turn = 0
    while place < len(data):
        size = sizes[min(turn, len(sizes) - 1)]
        found.append(b"\x16" + version.to_bytes(2, "big") + vector(data[place : place + size], 2))
        place += size
        turn += 1
    return b"".join(found)


def hello(*extensions: bytes, sizes: Sequence[int] = (16384,)) -> bytes:
    """
    A whole hello with these extensions.
    """
    return records(message(body(extensions)), sizes)


def fromOpenSSL(
    name: bytes | None = b"shop.example",
    protocols: Sequence[bytes] = (b"h2", b"http/1.1"),
    *,
    highest: int = SSL.TLS1_3_VERSION,
) -> bytes:
    """
    What OpenSSL sends first.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(highest)
    if protocols:
        context.set_alpn_protos(list(protocols))
    connection = SSL.Connection(context, None)
    if name is not None:
        connection.set_tlsext_host_name(name)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    return connection.bio_read(65536)
