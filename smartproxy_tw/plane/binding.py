"""
The library under pyOpenSSL, called by the names that pyOpenSSL calls it by.

pyOpenSSL's public C{recv} and C{send} take two allocations, three error checks
and two copies for each call; for keep-alive requests that is a third of a proxy's
whole CPU.  So the wire calls the same library functions that they call.  Those
names are nobody's promise: L{hasFastPath} is what a self-test at import found,
and without it the public names serve, more slowly.

One buffer serves every connection: nothing stays in it from one call to the next.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from .wires import READ

__all__ = ["SIZE", "address", "buffer", "hasFastPath", "isResumed", "lib", "limitGroups", "pointer", "view"]

#: Bytes of the buffer: enough for one write of a feeder, its records' overhead
#: included, in one piece.
SIZE = 2 * READ


_NAMES = ("SSL_write", "SSL_set_bio", "BIO_new", "BIO_s_mem", "ERR_clear_error", "SSL_ERROR_ZERO_RETURN")


def _selfTest() -> bool:
    """
    Whether the names that pyOpenSSL does not promise are there and do what
    they did.
    """
    try:
        connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        connection.set_connect_state()
        library, ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]
        room = ffi.new("char[]", 4096)
        result = library.SSL_read(connection._ssl, room, 16)
        wanted: bool = library.SSL_get_error(connection._ssl, result) == library.SSL_ERROR_WANT_READ
        hello = library.BIO_read(connection._from_ssl, room, 4096)
        return (
            wanted
            and hello > 50
            and bytes(ffi.buffer(room, hello)[:2]) == b"\x16\x03"
            and library.BIO_write(connection._into_ssl, ffi.from_buffer(b"\0\x16") + 1, 1) == 1
            and library.BIO_get_mem_data(connection._from_ssl, ffi.new("char **")) == 0
            and all(hasattr(library, name) for name in _NAMES)
        )
    except Exception:
        return False


#: Whether the library's own functions are called directly.
hasFastPath = _selfTest()

#: The library; without the fast path L{None}, as are the others.
lib: Any = None
#: C{view(buffer, size)}: the first bytes of the buffer, without a copy.
view: Any = None
#: C{address(data)}: a pointer to bytes, which has to be dropped before they are.
address: Any = None
#: C{pointer(kind)}: where the library can put a pointer.
pointer: Any = None
#: Where the library writes what is read from it.
buffer: Any = None
if hasFastPath:
    lib = SSL._lib  # type: ignore[attr-defined]
    view = SSL._ffi.buffer  # type: ignore[attr-defined]
    pointer = SSL._ffi.new  # type: ignore[attr-defined]
    address = SSL._ffi.from_buffer  # type: ignore[attr-defined]
    buffer = SSL._ffi.new("char[]", SIZE)  # type: ignore[attr-defined]


def isResumed(connection: SSL.Connection) -> bool:
    """
    Whether a handshake took up a former session, with the certificates that were
    shown then; pyOpenSSL's public names do not tell.
    """
    try:
        library: Any = SSL._lib  # type: ignore[attr-defined]
        return bool(library.SSL_session_reused(connection._ssl))
    except AttributeError:
        return False


def limitGroups(context: SSL.Context, groups: str) -> bool:
    """
    Agree on no other groups for the exchange of keys; pyOpenSSL's public names can
    choose only one.

    @param groups: By OpenSSL's names, the most wanted first, with a colon between
        them; one with a question mark in front may be unknown to the library.
    @return: Whether that could be; otherwise the library's own choice stands.
    """
    try:
        library: Any = SSL._lib  # type: ignore[attr-defined]
        isDone: bool = library.SSL_CTX_set1_curves_list(context._context, groups.encode("ascii")) == 1
        if not isDone:
            library.ERR_clear_error()
    except AttributeError:
        return False
    return isDone
