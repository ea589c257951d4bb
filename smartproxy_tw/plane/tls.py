"""
The wire with TLS on it.

A connection has its own OpenSSL object over memory, so that one wake-up costs
one C{recv} and one C{send} of the socket.  There are two kinds of it:
L{TLSWire} calls the library directly (L{smartproxy_tw.plane.binding} says why),
L{PublicWire} does the same with pyOpenSSL's public names.

This is hot: once for each chunk of each connection with TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL

from . import binding
from .binding import SIZE, address, buffer, lib, pointer, view
from .wires import READ, Ending

if TYPE_CHECKING:
    import socket

    from .poller import Poller

__all__ = ["PublicWire", "TLSWire", "owed", "secured"]

if binding.hasFastPath:
    _nowhere = pointer("char **")
    _SSL_read = lib.SSL_read
    _SSL_write = lib.SSL_write
    _BIO_read = lib.BIO_read
    _BIO_write = lib.BIO_write


# So many bytes may come from a peer without any data in them: four records of the largest size.  New keys and
# empty records cost who sends them no less than us, but would keep us from everybody else.
_MOST_MUTE = 65536


# The data of the largest record, and what is encrypted and fed at a time.
_RECORD = 16384
_MOST_FED = _RECORD + 512
_MOST_AT_ONCE = SIZE - 4096


def secured(sock: socket.socket, connection: SSL.Connection, poller: Poller | None = None) -> TLSWire:
    """
    The wire for a connection, of the kind that works here.

    @param sock: Connected and non-blocking.
    @param connection: Without a socket of its own, in accept or connect state.
    @param poller: As for a L{PlainWire<smartproxy_tw.plane.wires.PlainWire>}.
    """
    return (TLSWire if binding.hasFastPath else PublicWire)(sock, connection, poller)


class TLSWire(Ending):
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
    @ivar isDry: Whether it is known that the kernel has nothing to read now.
    @ivar connection: For asking about the peer.
    """

    __slots__ = (
        "_hasUnread",
        "_into",
        "_isEnded",
        "_mute",
        "_out",
        "_owed",
        "_sockRecv",
        "_sockSend",
        "_ssl",
        "connection",
        "isDry",
        "isEnding",
        "isShort",
        "isTruncated",
    )

    def __init__(self, sock: socket.socket, connection: SSL.Connection, poller: Poller | None = None) -> None:
        """
        @param sock: Connected and non-blocking.
        @param connection: Without a socket of its own, in accept or connect
            state.
        @param poller: As for a L{PlainWire<smartproxy_tw.plane.wires.PlainWire>}.
        """
        self.sock = sock
        self._poller = poller
        self.fd = sock.fileno()
        self.connection = connection
        self.pending = b""
        self.isShort = self.isEnding = self.isBroken = self.isTruncated = self.isDry = False
        self._hasUnread = True
        self._isEnded = self._isFinishing = False
        self._owed = self._mute = 0
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
            self._slim()
            if data:
                self.isShort = self.isDry and not self._isEnded
                return data
            if self.isDry and not self._isEnded:
                raise BlockingIOError
        while not self._isEnded:
            secret = self._sockRecv(READ)
            if not secret:
                self.isTruncated = self._isEnded = True
                break
            length = len(secret)
            if length > _MOST_FED:
                self._owed = owed(secret, self._owed)
                data = self._open(secret)
            elif self._owed == 0 and length > 5 and (secret[3] << 8 | secret[4]) + 5 == length:
                self._feed(secret)
                data = self._decrypt(True)
            else:
                self._feed(secret)
                self._owed = owed(secret, self._owed)
                data = self._decrypt(False)
            if data:
                if self._mute:
                    self._mute = 0
                # A close_notify behind the data is an end for which no event will come.
                self.isShort = length < READ and not self._isEnded
                return data
            self._mute += length
            if self._mute > _MOST_MUTE:
                raise ConnectionAbortedError("TLS without data")
        return b""

    def _feed(self, secret: bytes) -> None:
        _BIO_write(self._into, secret, len(secret))

    def heard(self, secret: bytes) -> None:
        """
        Take what came from the peer during the handshake.
        """
        self._owed = owed(secret, self._owed)
        self._feed(secret)

    def forward(self) -> bool:
        """
        Send what OpenSSL has to say by itself.

        @return: Whether nothing is pending.
        """
        return self._send(self._encrypted())

    def _slim(self) -> None:
        """
        Give back what OpenSSL's memory has grown to by the handshake, 4.6 KiB for
        each connection: both sides of it are empty just now.
        """
        connection: Any = self.connection
        if lib.BIO_get_mem_data(self._into, _nowhere) or lib.BIO_get_mem_data(self._out, _nowhere):
            return
        into, out = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        # The library frees those before; nobody may keep them.
        lib.SSL_set_bio(self._ssl, into, out)
        self._into = connection._into_ssl = into
        self._out = connection._from_ssl = out

    def _open(self, secret: bytes) -> bytes:
        """
        Feed and decrypt much, a record at a time; L{_seal} says why.
        """
        pieces = []
        for at in range(0, len(secret), _MOST_FED):
            if self._isEnded:
                break
            self._feed(secret[at : at + _MOST_FED])
            pieces.append(self._decrypt(False))
        return b"".join(pieces)

    def _decrypt(self, isOneRecord: bool) -> bytes:
        """
        Read all that can be decrypted now.

        @param isOneRecord: Just one whole record was fed: nothing can be left
            after it, which saves a call that finds out.
        """
        ssl = self._ssl
        read = _SSL_read(ssl, buffer, READ)
        if read <= 0:
            self._examine(read)
            return b""
        data: bytes = view(buffer, read)[:]
        if isOneRecord:
            return data
        pieces = [data]
        while (read := _SSL_read(ssl, buffer, READ)) > 0:
            pieces.append(view(buffer, read)[:])
        self._examine(read)
        return b"".join(pieces)

    def _examine(self, result: int) -> None:
        """
        Why OpenSSL gave nothing.
        """
        why = lib.SSL_get_error(self._ssl, result)
        if why == lib.SSL_ERROR_ZERO_RETURN:
            self._isEnded = True
        elif why != lib.SSL_ERROR_WANT_READ:
            lib.ERR_clear_error()
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
        length = len(data)
        if length > _RECORD:
            if length > _MOST_AT_ONCE:
                return self._writeMuch(data)
            read = self._seal(data)
        elif _SSL_write(self._ssl, data, length) == length:
            read = _BIO_read(self._out, buffer, SIZE)
        else:
            read = -1
        if read < 0:
            lib.ERR_clear_error()
            self.isBroken = True
            return True
        if read < SIZE and not self.pending:
            # The common case, without a copy.
            try:
                sent = self._sockSend(view(buffer, read))
            except BlockingIOError:
                sent = 0
            except OSError:
                self.isBroken = True
                return True
            if sent == read:
                return True
            self.pending = view(buffer, read)[sent:]
            self._wait()
            return False
        return self._send(view(buffer, read)[:] + self._encrypted())

    def _seal(self, data: bytes) -> int:
        """
        Encrypt record by record: OpenSSL's memory never gives back what it has
        grown to, so it is not to grow beyond one.

        @return: How much there is in the buffer; -1 when OpenSSL refuses.
        """
        ssl, out = self._ssl, self._out
        length = len(data)
        start = address(data)
        at = read = 0
        while at < length:
            size = length - at
            if size > _RECORD:
                size = _RECORD
            if _SSL_write(ssl, start + at, size) != size:
                return -1
            read += _BIO_read(out, buffer + read, SIZE - read)
            at += size
        return read

    def _writeMuch(self, data: bytes) -> bool:
        """
        Write what the buffer cannot hold, as one.
        """
        pieces = []
        for at in range(0, len(data), READ):
            read = self._seal(data[at : at + READ])
            if read < 0:
                lib.ERR_clear_error()
                self.isBroken = True
                return True
            pieces.append(view(buffer, read)[:])
        return self._send(b"".join(pieces))

    def _encrypted(self) -> bytes:
        pieces = []
        while (read := _BIO_read(self._out, buffer, SIZE)) > 0:
            pieces.append(view(buffer, read)[:])
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
        if not self.pending:
            return True
        self._wait()
        return False

    def flush(self) -> bool:
        """
        Send what is pending.

        @return: Whether nothing is pending any more.
        """
        secret, self.pending = self.pending, b""
        if not self._send(secret):
            return False
        if self._isFinishing:
            self._finished()
        return True

    def finish(self) -> None:
        """
        Send close_notify and nothing more.
        """
        self._notify()
        super().finish()

    def _notify(self) -> None:
        try:
            self.connection.shutdown()
        except SSL.Error:
            lib.ERR_clear_error()
        self._send(self._encrypted())

    def close(self) -> None:
        """
        Close, with close_notify if it can still be sent.
        """
        if not (self.pending or self.isBroken or self._isEnded):
            self._notify()
        super().close()


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


class PublicWire(TLSWire):
    """
    The same with pyOpenSSL's public names only.
    """

    __slots__ = ()

    def _attach(self, connection: SSL.Connection) -> None:
        pass

    def _slim(self) -> None:
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
                pieces.append(self.connection.bio_read(SIZE))
        except SSL.Error:
            return b"".join(pieces)

    def _notify(self) -> None:
        try:
            self.connection.shutdown()
        except SSL.Error:
            pass
        self._send(self._encrypted())
