"""
TLS on the data path: contexts, handshakes, and the wire that comes of them.

A connection has its own OpenSSL object over memory, so that one wake-up costs
one C{recv} and one C{send} of the socket.  The context is chosen before the
handshake, from the ClientHello (L{smartproxy_tw.wire.clienthello}); it is never
switched in a callback, where OpenSSL would answer with the wrong certificate or
worse.  A context is frozen after its first use: a new certificate is a new
context.

Versions and ciphers are Mozilla's intermediate profile: TLS 1.2 and 1.3, ECDHE
or DHE with AEAD only, no renegotiation, no compression, no early data.

pyOpenSSL's public C{recv} and C{send} take two allocations, three error checks
and two copies for each call; for keep-alive requests that is a third of a proxy's
whole CPU.  So this one module calls the same library functions that they call.
L{hasFastPath} is what a self-test at import found; without it the public names
serve, more slowly.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto

from .poller import ENDED
from .wires import READ, resetOnClose

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import UpstreamTLS
    from ..facts import Credential
    from .poller import Poller

__all__ = [
    "ALERT_NO_PROTOCOL",
    "ALERT_UNKNOWN_NAME",
    "Handshake",
    "TLSWire",
    "challengeContext",
    "clientContext",
    "hasFastPath",
    "owed",
    "serverContext",
    "verifyPeer",
]

#: What a client reads that asked for a name nobody serves (RFC 6066 section 3:
#: fatal unrecognized_name), or offered no protocol we speak (RFC 7301 section
#: 3.2), before there is any TLS state.
ALERT_UNKNOWN_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
ALERT_NO_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
)
# SSL_MODE_RELEASE_BUFFERS: an idle connection gives back 32 KiB (OpenSSL's SSL_CTX_set_mode).
_RELEASE_BUFFERS = 0x10
_PARTIAL_WRITE = 0x1
_NO_RENEGOTIATION = 0x40000000
_NO_COMPRESSION = 0x20000


def _offerHTTP(connection: SSL.Connection, offered: list[bytes]) -> Any:
    # The greeting has already refused a hello that offers neither.
    for protocol in (b"http/1.1", b"http/1.0"):
        if protocol in offered:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _offerChallenge(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return b"acme-tls/1" if b"acme-tls/1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    context.set_options(_NO_RENEGOTIATION | _NO_COMPRESSION)
    context.set_mode(_RELEASE_BUFFERS)
    # pyOpenSSL asks for partial writes; into memory they are not needed, and a wire counts on whole ones.
    context.clear_mode(_PARTIAL_WRITE)
    return context


def serverContext(credential: Credential, isHTTP: bool) -> SSL.Context:
    """
    A context that shows a certificate.

    @param credential: What to show.
    @param isHTTP: Whether to agree on C{http/1.1} by ALPN; otherwise no
        protocol is agreed on.
    @raise ValueError: The credential cannot be used; the message says why and
        holds nothing of the key.
    """
    context = _context(SSL.TLS_SERVER_METHOD)
    # Tickets resume; a cache of sessions in memory would grow by every TLS 1.2 client.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    marker = b"-----BEGIN CERTIFICATE-----"
    parts = [marker + part for part in credential.chain.split(marker)[1:]]
    if not parts:
        raise ValueError("there is no certificate in the chain")
    try:
        chain = [crypto.load_certificate(crypto.FILETYPE_PEM, part) for part in parts]
        context.use_certificate(chain[0])
        for issuer in chain[1:]:
            context.add_extra_chain_cert(issuer)
    except (crypto.Error, SSL.Error, ValueError) as error:
        raise ValueError(f"the certificate chain cannot be read ({_reason(error)})") from None
    try:
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
        context.check_privatekey()
    except (crypto.Error, SSL.Error, ValueError, TypeError) as error:
        why = f"the private key cannot be read or is not the certificate's ({_reason(error)})"
        raise ValueError(why) from None
    if isHTTP:
        context.set_alpn_select_callback(_offerHTTP)
    return context


def challengeContext(credential: Credential) -> SSL.Context:
    """
    A context that answers tls-alpn-01 (RFC 8737 section 3).

    @raise ValueError: As L{serverContext}.
    """
    context = serverContext(credential, False)
    context.set_alpn_select_callback(_offerChallenge)
    return context


def clientContext(settings: UpstreamTLS) -> SSL.Context:
    """
    A context to speak to targets with.

    @raise ValueError: The file of trusted certificates cannot be read.
    """
    context = _context(SSL.TLS_CLIENT_METHOD)
    if settings.verify:
        if settings.caFile is None:
            context.set_default_verify_paths()
        else:
            try:
                context.load_verify_locations(settings.caFile)
            except SSL.Error as error:
                raise ValueError(f"ca_file {settings.caFile} cannot be read ({_reason(error)})") from None
        context.set_verify(SSL.VERIFY_PEER, _noteDistrust)
    return context


#: What OpenSSL has against a certificate (X509_STORE_CTX_get_error(3)), where operators meet it.
_DISTRUST = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its root is not among the trusted ones",
    20: "its issuer is not among the trusted ones, or the target left out an intermediate certificate",
    21: "its issuer is not among the trusted ones",
    23: "it was revoked",
    26: "it is not meant for servers",
    66: "its key is too weak",
    68: "its signature is too weak",
}


def _noteDistrust(
    connection: SSL.Connection, certificate: crypto.X509, why: int, depth: int, isGood: int
) -> bool:
    """
    Keep OpenSSL's verdict, and why it came to it, which its error does not say.
    """
    if not isGood:
        connection.set_app_data(_DISTRUST.get(why, f"verification error {why}"))
    return bool(isGood)


def verifyPeer(connection: SSL.Connection, host: str) -> None:
    """
    Hold the certificate that a target has shown against the name it was
    connected by (RFC 9525).  The chain was verified in the handshake.

    @param host: A name or an IP address.
    @raise ValueError: It is a certificate for something else.
    """
    from service_identity import CertificateError, VerificationError
    from service_identity.pyopenssl import verify_hostname, verify_ip_address

    try:
        if ":" in host or host.replace(".", "").isdigit():
            verify_ip_address(connection, host)
        else:
            verify_hostname(connection, host)
    except (VerificationError, CertificateError) as error:
        raise ValueError(f"its certificate is not for {host}") from error


def _reason(error: Exception) -> str:
    """
    OpenSSL's own words, without its codes.
    """
    if isinstance(error, SSL.Error | crypto.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0] if entry) or "OpenSSL does not say why"
    return str(error).split("\n", 1)[0] or type(error).__name__


class TLSWire:
    """
    A socket with TLS on it; see L{smartproxy_tw.plane.wires} for what a wire
    promises.

    @ivar sock: Connected and non-blocking; owned.
    @ivar fd: Its descriptor.
    @ivar pending: Encrypted bytes that have not gone yet.
    @ivar isShort: Whether the last read took all that the kernel had.
    @ivar isEnding: Whether the end is on its way.
    @ivar isBroken: Whether a write has failed for good.
    @ivar isTruncated: Whether the stream ended without its close_notify, so
        that somebody may have cut it.
    @ivar connection: For asking about the peer.
    """

    __slots__ = (
        "_hasUnread",
        "_into",
        "_isEnded",
        "_isFinishing",
        "_out",
        "_owed",
        "_sockRecv",
        "_sockSend",
        "_ssl",
        "connection",
        "fd",
        "isBroken",
        "isEnding",
        "isShort",
        "isTruncated",
        "pending",
        "sock",
    )

    def __init__(self, sock: socket.socket, connection: SSL.Connection) -> None:
        """
        @param sock: Connected and non-blocking.
        @param connection: Without a socket of its own, in accept or connect
            state.
        """
        self.sock = sock
        self.fd = sock.fileno()
        self.connection = connection
        self.pending = b""
        self.isShort = self.isEnding = self.isBroken = self.isTruncated = False
        self._hasUnread = True
        self._isEnded = self._isFinishing = False
        self._owed = 0
        self._sockRecv = sock.recv
        self._sockSend = sock.send
        self._attach(connection)

    def _attach(self, connection: SSL.Connection) -> None:
        self._ssl = connection._ssl
        self._into = connection._into_ssl
        self._out = connection._from_ssl

    def recv(self, size: int) -> bytes:
        """
        What has come, decrypted; a few bytes more or less than C{size}.

        @raise BlockingIOError: Nothing now.
        @raise OSError: The stream broke, or was not TLS.
        """
        if self._hasUnread:
            self._hasUnread = False
            data = self._decrypt(False)
            if data:
                return data
        while not self._isEnded:
            secret = self._sockRecv(READ)
            if not secret:
                self.isTruncated = self._isEnded = True
                break
            length = len(secret)
            self._feed(secret)
            if self._owed == 0 and length > 5 and (secret[3] << 8 | secret[4]) + 5 == length:
                data = self._decrypt(True)
            else:
                self._owed = owed(secret, self._owed)
                data = self._decrypt(False)
            if data:
                # A close_notify behind the data is an end for which no event will come.
                self.isShort = length < READ and not self._isEnded
                return data
        return b""

    def _feed(self, secret: bytes) -> None:
        _BIO_write(self._into, secret, len(secret))

    def heard(self, secret: bytes) -> None:
        """
        Follow the records of the handshake.

        @param secret: What came from the peer and was fed to OpenSSL.
        """
        self._owed = owed(secret, self._owed)

    def _decrypt(self, isOneRecord: bool) -> bytes:
        """
        Read all that can be decrypted now.

        @param isOneRecord: Just one whole record was fed: nothing can be left
            after it, which saves a call that finds out.
        """
        ssl = self._ssl
        read = _SSL_read(ssl, _buffer, READ)
        if read <= 0:
            self._examine(read)
            return b""
        data: bytes = _view(_buffer, read)[:]
        if isOneRecord:
            return data
        pieces = [data]
        while (read := _SSL_read(ssl, _buffer, READ)) > 0:
            pieces.append(_view(_buffer, read)[:])
        self._examine(read)
        return b"".join(pieces)

    def _examine(self, result: int) -> None:
        """
        Why OpenSSL gave nothing.
        """
        why = _lib.SSL_get_error(self._ssl, result)
        if why == _lib.SSL_ERROR_ZERO_RETURN:
            self._isEnded = True
        elif why != _lib.SSL_ERROR_WANT_READ:
            _lib.ERR_clear_error()
            self._send(self._encrypted())
            raise ConnectionAbortedError("TLS failed")
        self._send(self._encrypted())

    def write(self, data: bytes) -> bool:
        """
        Encrypt and send, or keep what cannot be sent now.

        @return: Whether nothing is pending.
        """
        if not data or self.isBroken:
            return not self.pending
        if _SSL_write(self._ssl, data, len(data)) != len(data):
            _lib.ERR_clear_error()
            self.isBroken = True
            return True
        read = _BIO_read(self._out, _buffer, _SIZE)
        if read < _SIZE and not self.pending:
            # The common case, without a copy.
            try:
                sent = self._sockSend(_view(_buffer, read))
            except BlockingIOError:
                sent = 0
            except OSError:
                self.isBroken = True
                return True
            if sent == read:
                return True
            self.pending = _view(_buffer, read)[sent:]
            return False
        return self._send(_view(_buffer, read)[:] + self._encrypted())

    def _encrypted(self) -> bytes:
        pieces = []
        while (read := _BIO_read(self._out, _buffer, _SIZE)) > 0:
            pieces.append(_view(_buffer, read)[:])
        return b"".join(pieces)

    def _send(self, secret: bytes) -> bool:
        if self.pending:
            self.pending += secret
            return False
        if not secret or self.isBroken:
            return True
        try:
            sent = self._sockSend(secret)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.isBroken = True
            return True
        self.pending = secret[sent:]
        return not self.pending

    def flush(self) -> bool:
        """
        Send what is pending.

        @return: Whether nothing is pending any more.
        """
        secret, self.pending = self.pending, b""
        if not self._send(secret):
            return False
        if self._isFinishing:
            self._isFinishing = False
            self._shutdown()
        return True

    def finish(self) -> None:
        """
        Send close_notify and nothing more.
        """
        self._notify()
        if self.pending:
            self._isFinishing = True
        else:
            self._shutdown()

    def _notify(self) -> None:
        try:
            self.connection.shutdown()
        except SSL.Error:
            _lib.ERR_clear_error()
        self._send(self._encrypted())

    def _shutdown(self) -> None:
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.isBroken = True

    def close(self) -> None:
        """
        Close, with close_notify if it can still be sent.
        """
        if not (self.pending or self.isBroken or self._isEnded):
            self._notify()
        self.pending = b""
        self.sock.close()

    def reset(self) -> None:
        """
        Close so that the peer is told that the stream broke.
        """
        resetOnClose(self.sock)
        self.pending = b""
        self.sock.close()


def owed(secret: bytes, before: int) -> int:
    """
    Walk over the records in a piece of a TLS stream.

    @param secret: The piece.
    @param before: How many bytes of a record the piece before it still owed;
        -1 when that is not known.
    @return: How many bytes of its last record are still to come; -1 when the
        piece ends inside of a record's header.
    """
    if before < 0:
        return -1
    at = before
    end = len(secret)
    while at < end:
        if at > end - 5:
            return -1
        at += 5 + (secret[at + 3] << 8 | secret[at + 4])
    return at - end


class _PublicWire(TLSWire):
    """
    The same with pyOpenSSL's public names only.
    """

    __slots__ = ()

    def _attach(self, connection: SSL.Connection) -> None:
        pass

    def _feed(self, secret: bytes) -> None:
        self.connection.bio_write(secret)

    def _decrypt(self, isOneRecord: bool) -> bytes:
        pieces = []
        try:
            while True:
                pieces.append(self.connection.recv(READ))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._isEnded = True
        except SSL.Error as error:
            self._send(self._encrypted())
            raise ConnectionAbortedError("TLS failed") from error
        self._send(self._encrypted())
        return b"".join(pieces)

    def write(self, data: bytes) -> bool:
        """
        As L{TLSWire.write}.
        """
        if not data or self.isBroken:
            return not self.pending
        try:
            isWhole = self.connection.send(data) == len(data)
        except SSL.Error:
            isWhole = False
        if not isWhole:
            self.isBroken = True
            return True
        return self._send(self._encrypted())

    def _encrypted(self) -> bytes:
        pieces = []
        try:
            while True:
                pieces.append(self.connection.bio_read(_SIZE))
        except SSL.Error:
            return b"".join(pieces)

    def _notify(self) -> None:
        try:
            self.connection.shutdown()
        except SSL.Error:
            pass
        self._send(self._encrypted())


# Enough for one write of a feeder, its records' overhead included, in one piece.
_SIZE = 2 * READ


def _selfTest() -> bool:
    """
    Whether the names that pyOpenSSL does not promise are there and do what
    they did.
    """
    try:
        connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        connection.set_connect_state()
        lib, ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]
        buffer = ffi.new("char[]", 4096)
        result = lib.SSL_read(connection._ssl, buffer, 16)
        wanted: bool = lib.SSL_get_error(connection._ssl, result) == lib.SSL_ERROR_WANT_READ
        hello = lib.BIO_read(connection._from_ssl, buffer, 4096)
        return (
            wanted
            and hello > 50
            and bytes(ffi.buffer(buffer, hello)[:2]) == b"\x16\x03"
            and lib.BIO_write(connection._into_ssl, b"\x16", 1) == 1
            and all(hasattr(lib, name) for name in ("SSL_write", "ERR_clear_error", "SSL_ERROR_ZERO_RETURN"))
        )
    except Exception:
        return False


#: Whether the library's own functions are called directly.
hasFastPath = _selfTest()

_lib: Any = None
_buffer: Any = None
if hasFastPath:
    _lib = SSL._lib  # type: ignore[attr-defined]
    _view = SSL._ffi.buffer  # type: ignore[attr-defined]
    _buffer = SSL._ffi.new("char[]", _SIZE)  # type: ignore[attr-defined]
    _SSL_read = _lib.SSL_read
    _SSL_write = _lib.SSL_write
    _BIO_read = _lib.BIO_read
    _BIO_write = _lib.BIO_write


class Handshake:
    """
    A TLS handshake, either side, from its first byte to its wire.

    @ivar deadline: For the poller.
    """

    __slots__ = ("_doer", "_failed", "_poller", "_then", "deadline", "isDone", "wire")

    def __init__(
        self,
        poller: Poller,
        sock: socket.socket,
        connection: SSL.Connection,
        deadline: float,
        then: Callable[[TLSWire], None],
        failed: Callable[[str, bool], None],
    ) -> None:
        """
        Take over a socket that is registered with the poller, and begin.

        @param connection: Without a socket, in accept or connect state.
        @param deadline: On the poller's clock, absolute.
        @param then: Called with the wire; there may already be something to
            read on it, for which no event will come.
        @param failed: Called with the reason, and whether it was the deadline;
            the socket is closed by then.
        """
        self._poller = poller
        self._then = then
        self._failed = failed
        self._doer = connection
        self.deadline = deadline
        self.isDone = False
        self.wire = (TLSWire if hasFastPath else _PublicWire)(sock, connection)
        poller.mortals[self] = None
        poller.handlers[self.wire.fd] = self.ready

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        if event & ENDED:
            self.wire.isEnding = True
        if not self.wire.flush():
            return
        while not self.isDone:
            try:
                self._doer.do_handshake()
            except SSL.WantReadError:
                if not self.wire._send(self.wire._encrypted()):
                    return
                if not self._hear():
                    return
            except SSL.Error as error:
                self.wire._send(self.wire._encrypted())
                why = self._doer.get_app_data()
                self._fail(f"its certificate is not trusted: {why}" if why else _reason(error), False)
            else:
                self._finish()

    def _hear(self) -> bool:
        """
        Feed what the peer said.

        @return: Whether it said anything.
        """
        try:
            secret = self.wire.sock.recv(READ)
        except BlockingIOError:
            return False
        except OSError as error:
            self._fail(error.strerror or "the connection broke", False)
            return False
        if not secret:
            self._fail("the peer closed the connection during the TLS handshake", False)
            return False
        self.wire.heard(secret)
        self._doer.bio_write(secret)
        return True

    def _finish(self) -> None:
        self.isDone = True
        self._poller.mortals.pop(self, None)
        self.wire._send(self.wire._encrypted())
        self._then(self.wire)

    def _fail(self, reason: str, isTimeout: bool) -> None:
        if self.isDone:
            return
        self.cancel()
        self._failed(reason, isTimeout)

    def cancel(self) -> None:
        """
        Give up without a word.
        """
        self.isDone = True
        self._poller.mortals.pop(self, None)
        self._poller.forget(self.wire.fd)
        self.wire.sock.close()

    def expire(self) -> None:
        """
        It took too long.
        """
        self._fail("the TLS handshake took too long", True)

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self._fail("a bug in the TLS handshake", False)
