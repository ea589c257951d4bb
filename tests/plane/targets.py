"""
Targets that speak HTTP/2, by the sessions of hyper, whose words a test writes.

    >>> target = Multiplexed(self.origin())
    >>> server = await target.accepts()
    >>> asked = await server.asked()
    >>> server.answers(asked, b"200", body=b"hello")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import Settings
from OpenSSL import SSL, crypto

from smartproxy_tw.config.model import Target

from .harness import Origin, Peer, credentialFor

__all__ = ["Asked", "Multiplexed", "Server", "speaking"]

Fields = Sequence[tuple[bytes, bytes]]


class Asked:
    """
    A request that has come.

    @ivar stream: Its number.
    @ivar fields: Its head.
    @ivar body: What has come of it.
    @ivar trailers: If any came.
    @ivar isEnded: Whether it has ended.
    @ivar code: With which it was reset.
    """

    def __init__(self, stream: int, fields: Fields) -> None:
        self.stream = stream
        self.fields = dict(fields)
        self.all = list(fields)
        self.body = b""
        self.trailers: dict[bytes, bytes] = {}
        self.isEnded = False
        self.code: int | None = None

    @property
    def path(self) -> bytes:
        """
        Its path.
        """
        return self.fields[b":path"]


class Server:
    """
    One connection.

    @ivar peer: The connection itself.
    @ivar isGenerous: Whether windows are opened as data come.
    @ivar pings: The PINGs that came.
    @ivar then: Called with a request that has come as a whole.
    @ivar heard: The last bytes that came.
    """

    def __init__(
        self, peer: Peer, settings: dict[int, int], then: Callable[[Server, Asked], None] | None
    ) -> None:
        self.peer = peer
        self.then = then
        self.isGenerous = True
        self.pings: list[bytes] = []
        self.heard = b""
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = Settings(client=False, initial_values=settings)  # type: ignore[arg-type]
        self.all: dict[int, Asked] = {}
        self._new: list[Asked] = []
        self._isGreeted = False
        peer.watch = self._heard

    def greets(self) -> None:
        """
        Say its settings.
        """
        if not self._isGreeted:
            self._isGreeted = True
            self.h2.initiate_connection()
            self.flushes()

    def flushes(self) -> None:
        """
        Send what there is.
        """
        self.peer.sends(self.h2.data_to_send())

    def _heard(self, data: bytes) -> None:
        self.heard = (self.heard + data)[-4096:]
        self.greets()
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.flushes()
            self.peer.leaves()
            return
        for event in events:
            self._event(event)
        self.flushes()

    def _event(self, event: Any) -> None:
        if isinstance(event, RequestReceived):
            asked = self.all[event.stream_id] = Asked(event.stream_id, event.headers)  # type: ignore[arg-type]
            self._new.append(asked)
        elif isinstance(event, DataReceived):
            self.all[event.stream_id].body += event.data
            if self.isGenerous and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            self.all[event.stream_id].trailers = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, StreamEnded):
            asked = self.all[event.stream_id]
            asked.isEnded = True
            if self.then is not None:
                self.then(self, asked)
        elif isinstance(event, StreamReset):
            self.all[event.stream_id].code = int(event.error_code)
        elif isinstance(event, PingReceived):
            self.pings.append(event.ping_data)

    # What a test expects.

    async def asked(self) -> Asked:
        """
        The head of the next request.
        """
        await self.peer.until(lambda: bool(self._new), "a request")
        return self._new.pop(0)

    async def whole(self) -> Asked:
        """
        The next request, to its end.
        """
        asked = await self.asked()
        await self.peer.until(lambda: asked.isEnded, "the end of a request")
        return asked

    async def resets(self, asked: Asked) -> int:
        """
        A request is reset.

        @return: With which code.
        """
        await self.peer.until(lambda: asked.code is not None, "a reset")
        assert asked.code is not None
        return asked.code

    # What a test says.

    def begins(
        self, asked: Asked, status: bytes = b"200", *fields: tuple[bytes, bytes], isEnd: bool = False
    ) -> None:
        """
        The head of an answer, or of an interim one.
        """
        self.h2.send_headers(asked.stream, [(b":status", status), *fields], end_stream=isEnd)
        self.flushes()

    def goesOn(self, asked: Asked, data: bytes, isEnd: bool = False) -> None:
        """
        A piece of a body, which has to fit into the window.
        """
        while len(data) > 16384:
            self.h2.send_data(asked.stream, data[:16384])
            data = data[16384:]
        self.h2.send_data(asked.stream, data, end_stream=isEnd)
        self.flushes()

    def ends(self, asked: Asked, *trailers: tuple[bytes, bytes]) -> None:
        """
        The end of a body, with trailers.
        """
        self.h2.send_headers(asked.stream, trailers, end_stream=True)
        self.flushes()

    def answers(
        self,
        asked: Asked,
        status: bytes = b"200",
        *fields: tuple[bytes, bytes],
        body: bytes = b"",
        trailers: Fields = (),
    ) -> None:
        """
        A whole answer.
        """
        isBare = not body and not trailers
        self.h2.send_headers(asked.stream, [(b":status", status), *fields], end_stream=isBare)
        for at in range(0, len(body), 16384):
            isLast = at + 16384 >= len(body)
            self.h2.send_data(asked.stream, body[at : at + 16384], end_stream=isLast and not trailers)
        if trailers:
            self.h2.send_headers(asked.stream, trailers, end_stream=True)
        self.flushes()

    def breaks(self, asked: Asked, code: int) -> None:
        """
        Reset a stream.
        """
        self.h2.reset_stream(asked.stream, code)
        self.flushes()

    def says(self, frames: bytes) -> None:
        """
        Say something that a session of hyper would not.
        """
        self.flushes()
        self.peer.sends(frames)

    def leaves(self, last: int, code: int = 0) -> None:
        """
        GOAWAY, after which it goes on with what it has.
        """
        from smartproxy_tw.wire.frames import goAway

        self.says(goAway(last, code))

    def settles(self, settings: dict[int, int]) -> None:
        """
        Change settings.
        """
        self.h2.update_settings(settings)
        self.flushes()


class Multiplexed:
    """
    A target all of whose connections speak HTTP/2.

    @ivar servers: Its connections.
    @ivar settings: What they begin with.
    @ivar then: Called with each request that has come as a whole.
    """

    def __init__(self, origin: Origin, then: Callable[[Server, Asked], None] | None = None) -> None:
        self.origin = origin
        self.then = then
        self.settings: dict[int, int] = {}
        self.servers: list[Server] = []
        origin.prepare = self._prepare
        self._taken = 0

    def _prepare(self, peer: Peer) -> None:
        self.servers.append(Server(peer, self.settings, self.then))

    def target(self, protocol: Literal["http/1.1", "h2", "h2c", "auto"] = "h2c") -> Target:
        """
        As routes have it.
        """
        return replace(self.origin.target, protocol=protocol)

    @property
    def count(self) -> int:
        """
        How many connections there were.
        """
        return len(self.servers)

    async def accepts(self) -> Server:
        """
        The next connection.
        """
        await self.origin.accepts()
        self._taken += 1
        return self.servers[self._taken - 1]


def speaking(protocols: tuple[bytes, ...], name: str) -> SSL.Connection:
    """
    The TLS of a server that speaks these, by ALPN.
    """
    credential = credentialFor(name)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, credential.chain))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))

    def choose(connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((each for each in protocols if each in offered), SSL.NO_OVERLAPPING_PROTOCOLS)

    context.set_alpn_select_callback(choose)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection
