"""
The greeting: the first bytes of a connection, and what they make of it.

Where a port has just one kind of route nothing needs to be found out.  Elsewhere
the bytes are read, and whoever comes next is given all of them: TLS its ClientHello,
a tunnel what it begins with.  (Looking at them without taking them, C{MSG_PEEK}, costs
another read of the same bytes for each connection.)  A deadline bounds the wait, the
size of a hello bounds the bytes, and an end inside of it ends it.
"""

from __future__ import annotations

import re
import select
from typing import TYPE_CHECKING

from OpenSSL import SSL

from ..config.model import Several
from ..facts import Address, ConnectionFacts, made
from ..routing.sight import Sight
from ..wire import proxyheader
from ..wire.clienthello import MOST_BYTES, Hello, Malformed, NeedMore, parse
from .alerts import ALERT_DECODE, ALERT_NO_CERTIFICATE, ALERT_NO_PROTOCOL, ALERT_UNKNOWN_NAME
from .handshake import Handshake
from .identity import shownBy
from .opening import Opening
from .poller import ARRIVALS, ENDED, unheard
from .stream import Stream
from .wires import PlainWire

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Container

    from ..config.model import Route, TLSPolicy
    from .engine import Entrance
    from .tls import TLSWire

__all__ = ["Greeting", "asksForToken", "greet", "looksLikeHTTP"]

_PLAIN_ON_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 29\r\n"
    b"Connection: close\r\n\r\nThis port speaks HTTPS only.\n"
)

# RFC 8555 section 8.3, and more than any token has.
_TOKEN_REQUEST = b"GET /.well-known/acme-challenge/"
_TOKEN_BYTES = 256

# What ALPN calls versions of HTTP.
_H2 = b"h2"
_OURS = frozenset((b"http/1.1", b"http/1.0"))
_OURS_AND_H2 = _OURS | {_H2}

_METHOD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}+)( ?)")


def looksLikeHTTP(data: bytes) -> bool | None:
    """
    Whether a connection begins with an HTTP/1 request line: a method and the
    beginning of a target.  C{EHLO mail.example} does not.

    @param data: At least one byte.
    @return: L{None} while it could go either way.
    """
    if data[:2] == b"\r\n":
        data = data[2:]
    match = _METHOD.match(data)
    if match is None:
        return None if data in (b"", b"\r") else False
    rest = data[match.end() : match.end() + 4].lower()
    if not match[2]:
        return False if rest or len(match[1]) == 32 else None
    if rest[:1] in (b"/", b"*") or rest == b"http":
        return True
    return None if b"http".startswith(rest) else False


def asksForToken(data: bytes, tokens: Container[bytes]) -> bool | None:
    """
    Whether a connection begins with a request for an http-01 challenge that is
    being answered.

    @param data: At least one byte.
    @param tokens: Those being answered.
    @return: L{None} while it could go either way.
    """
    start = data[: len(_TOKEN_REQUEST)]
    if start != _TOKEN_REQUEST:
        return None if _TOKEN_REQUEST.startswith(start) else False
    token, space, _ = data[len(start) : len(start) + _TOKEN_BYTES].partition(b" ")
    if space:
        return token in tokens
    return None if len(token) < _TOKEN_BYTES else False


def greet(
    entrance: Entrance,
    sock: socket.socket,
    client: Address,
    server: Address | None = None,
    early: bytes | None = None,
    event: int = 0,
) -> None:
    """
    Begin the life of an accepted connection.

    @param sock: Non-blocking; owned from now on.
    @param client: Who it is.
    @param server: What it connected to, where somebody else has said so.
    @param early: What was read of it already, by whom it was registered with the poller;
        L{None} where it is registered nowhere.
    @param event: What its handler was told last, if there may be something to read for which
        no event will come.
    """
    engine = entrance.engine
    if not (entrance.takesTLS or (entrance.servesProofs and engine.proofs)):
        if not entrance.takesTCP:
            if entrance.takesHTTP or entrance.servesTokens:
                wire = PlainWire(sock, bool(event & ENDED), engine.poller)
                if early is None:
                    engine.poller.add(wire.fd, unheard, ARRIVALS)
                entrance.plain.open(
                    wire, ConnectionFacts(entrance.number, client, server=server), early or b""
                )
                return
        # A server that speaks first can share its port with a challenge, but for the moment of it.
        elif not (entrance.takesHTTP or (entrance.servesTokens and engine.tokens)):
            facts = ConnectionFacts(entrance.number, client, server=server)
            route = entrance.openRoute or entrance.openRouteFor(client.host)
            if route is None:
                engine.missed(facts.port, _nobodyTakes(facts.port), facts)
                engine.poller.forget(sock.fileno())
                sock.close()
                return
            wire = PlainWire(sock, bool(event & ENDED), engine.poller)
            if early is None:
                engine.poller.add(wire.fd, unheard, ARRIVALS)
            Stream(entrance, wire, facts, route, bool(event), early or b"")
            return
    greeting = Greeting(entrance, sock, client, server)
    if early is None:
        engine.poller.add(sock.fileno(), greeting.ready, ARRIVALS)
    else:
        engine.poller.handlers[sock.fileno()] = greeting.ready
        greeting.begin(early, event)


def _nobodyTakes(port: int) -> str:
    return f"no route on port {port} takes what is neither TLS nor HTTP, or none from this client"


class Greeting(Opening):
    """
    A connection of which nothing is known yet; the TLS handshake inherits its deadline.
    """

    MOST = MOST_BYTES
    __slots__ = ("_client", "_server")

    def __init__(
        self, entrance: Entrance, sock: socket.socket, client: Address, server: Address | None
    ) -> None:
        self._client = client
        self._server = server
        Opening.__init__(self, entrance, sock, entrance.engine.timeouts.head)

    def begin(self, early: bytes, event: int) -> None:
        """
        Look at what somebody else has read.

        @param event: See L{greet}.
        """
        self._data = early
        self._isHot = bool(event)
        self._isEnding = bool(event & ENDED)
        if early:
            self._read(early)
        if event and not self._isOver:
            self.ready(event)

    def _read(self, data: bytes) -> None:
        entrance = self._entrance
        if entrance.takesTLS or entrance.servesProofs:
            hello = parse(data)
            if isinstance(hello, Hello):
                self._readHello(hello, data)
                return
            if isinstance(hello, NeedMore):
                self._need = hello.atLeast
                return
            if isinstance(hello, Malformed) and entrance.takesTLS and not entrance.takesTCP:
                self._turnAway(hello.reason, ALERT_DECODE)
                return
        self._readOther(data)

    def _readOther(self, data: bytes) -> None:
        """
        What is not TLS: HTTP, or anything.
        """
        entrance = self._entrance
        if not entrance.takesTCP:
            if entrance.takesHTTP or entrance.servesTokens:
                self.becomeHTTP()
            else:
                isHTTP = looksLikeHTTP(data)
                self._turnAway("not a ClientHello", _PLAIN_ON_TLS if isHTTP else b"")
            return
        if entrance.heralds is not None and not self._isUnannounced(data):
            return
        if entrance.takesHTTP:
            isHTTP = looksLikeHTTP(data)
        else:
            isHTTP = entrance.servesTokens and asksForToken(data, entrance.engine.tokens)
        if isHTTP is None:
            self._need = len(data) + 1
        elif isHTTP:
            self.becomeHTTP()
        else:
            self.becomeStream()

    def _isUnannounced(self, data: bytes) -> bool:
        """
        Whether there is no header of the PROXY protocol on a port that knows it: one that is
        not asked for, or a second one, is not to reach a target that might believe it.
        """
        found = proxyheader.parse(data)
        if isinstance(found, proxyheader.NotProxy):
            return True
        if isinstance(found, proxyheader.NeedMore):
            self._need = found.atLeast
        else:
            self._entrance.engine.unannounced("a header that was not asked for", self._client.host)
            self._end(b"")
        return False

    def _readHello(self, hello: Hello, data: bytes) -> None:
        entrance = self._entrance
        engine = entrance.engine
        facts = made(
            ConnectionFacts,
            (entrance.number, self._client, hello.serverName, hello.alpn, True, None, self._server, None),
        )
        if hello.alpn == (b"acme-tls/1",):
            context = engine.proofs.get(hello.serverName or "")
            if context is not None:
                self._shake(context, self._goodbye)
                return
        if not entrance.takesTLS and (entrance.takesTCP or entrance.takesHTTP or entrance.servesTokens):
            # It was looked at for the sake of a challenge only.
            self._readOther(data)
            return
        table = entrance.table
        sight = Sight(self._client.host) if table is not None and table.asksClient else None
        decision = table.decideHello(hello.serverName, sight) if table is not None else None
        route: Route | None = getattr(decision, "route", None)
        if route is None or route.tls is None:
            engine.missed(self._entrance.number, getattr(decision, "reason", ""), facts)
            self._end(ALERT_UNKNOWN_NAME)
            return
        source = route.tls.certificate
        if source is None:
            self._hand(facts, route)
            return
        isHTTP = route.protocol == "http"
        policy = route.tls.policy
        spoken = _OURS_AND_H2 if policy.http2 else _OURS
        if isHTTP and hello.alpn and spoken.isdisjoint(hello.alpn):
            self._turnAway("the client speaks none of our protocols", ALERT_NO_PROTOCOL)
            return
        if isinstance(source, Several):
            source = source.partFor(hello.serverName)
        self._terminate(facts, source.key, isHTTP, policy)

    def _terminate(self, facts: ConnectionFacts, key: str, isHTTP: bool, policy: TLSPolicy) -> None:
        """
        End TLS here.
        """
        try:
            context = self._entrance.engine.showcase.context(key, isHTTP, policy)
        except ValueError as why:
            self._turnAway(f"what {facts.serverName} needs cannot be used: {why}", ALERT_NO_CERTIFICATE)
            return
        if context is None:
            self._turnAway(f"there is no certificate for {facts.serverName} yet", ALERT_NO_CERTIFICATE)
            return

        def shaken(wire: TLSWire) -> None:
            known = facts
            if policy.clients is not None:
                shown = shownBy(wire.connection)
                if shown is not None:
                    known = facts._replace(clientSubject=shown.subject or shown.names, certificate=shown)
            if not isHTTP:
                self._stream(wire, known, policy)
            elif policy.http2 and _H2 in known.alpn and wire.connection.get_alpn_proto_negotiated() == _H2:
                self._entrance.secure(policy).openFrames(wire, known)
            else:
                self._entrance.secure(policy).open(wire, known)

        self._shake(context, shaken)

    def _stream(self, wire: TLSWire, facts: ConnectionFacts, policy: TLSPolicy) -> None:
        # The table may have changed during the handshake.
        table = self._entrance.table
        sight = Sight(self._client.host) if table is not None and table.asksClient else None
        decision = table.decideStream(True, facts.serverName, sight) if table is not None else None
        route: Route | None = getattr(decision, "route", None)
        reason = getattr(decision, "reason", "")
        if route is not None and (route.tls is None or route.tls.policy != policy):
            reason = f"route {route.name} has another TLS policy than the connection began by"
            route = None
        if route is None:
            self._entrance.engine.missed(self._entrance.number, reason, facts)
            self._goodbye(wire)
        else:
            Stream(self._entrance, wire, facts, route, True)

    def _goodbye(self, wire: TLSWire) -> None:
        """
        Nothing is said; after the handshake of a challenge by RFC 8737 section 3.
        """
        self._entrance.engine.poller.forget(wire.fd)
        wire.close()

    def _shake(self, context: SSL.Context, then: Callable[[TLSWire], None]) -> None:
        """
        Begin a handshake, which finds the hello where it was.
        """
        self._over()
        engine = self._entrance.engine
        connection = SSL.Connection(context, None)
        connection.set_accept_state()
        shaking = _Shaking(self._entrance, self._sock, connection, self.deadline, then, self._client.host)
        engine.enter(shaking)
        event = (select.EPOLLIN if self._isHot else 0) | (ENDED if self._isEnding else 0)
        shaking.begin(self._data, event)

    def becomeHTTP(self) -> None:
        """
        It is plain HTTP.
        """
        self._over()
        facts = ConnectionFacts(self._entrance.number, self._client, server=self._server)
        wire = PlainWire(self._sock, self._isEnding, self._entrance.engine.poller)
        self._entrance.plain.open(wire, facts, self._data, self._isHot)

    def becomeStream(self) -> None:
        """
        It is anything, in plain.
        """
        facts = ConnectionFacts(self._entrance.number, self._client, server=self._server)
        route = self._entrance.openRoute or self._entrance.openRouteFor(self._client.host)
        if route is None:
            self._entrance.engine.missed(facts.port, _nobodyTakes(facts.port), facts)
            self._close()
        else:
            self._hand(facts, route)

    def _hand(self, facts: ConnectionFacts, route: Route) -> None:
        self._over()
        entrance = self._entrance
        wire = PlainWire(self._sock, self._isEnding, entrance.engine.poller)
        Stream(entrance, wire, facts, route, self._isHot, self._data)

    def _turnAway(self, reason: str, answer: bytes) -> None:
        self._entrance.engine.unwelcome(reason, self._client.host)
        self._end(answer)


class _Shaking:
    """
    A server's handshake as the engine counts it.
    """

    __slots__ = ("_arguments", "_entrance", "_handshake", "_then", "_who", "deadline")

    def __init__(
        self,
        entrance: Entrance,
        sock: socket.socket,
        connection: SSL.Connection,
        deadline: float,
        then: Callable[[TLSWire], None],
        who: str,
    ) -> None:
        self._entrance = entrance
        self._then = then
        self._who = who
        self.deadline = float("inf")
        poller = entrance.engine.poller
        self._handshake = Handshake(poller, sock, connection, deadline, self._done, self._failed, True)

    def begin(self, hello: bytes, event: int) -> None:
        self._handshake.begin(hello, event)

    def _done(self, wire: TLSWire) -> None:
        self._entrance.engine.leave(self)
        self._then(wire)

    def _failed(self, reason: str, isTimeout: bool) -> None:
        self._entrance.engine.leave(self)
        self._entrance.engine.unwelcome(reason, self._who)

    def expire(self) -> None:
        self.crash()

    def crash(self) -> None:
        self._entrance.engine.leave(self)
        self._handshake.cancel()

    def drain(self) -> None:
        self._handshake.deadline = self._entrance.engine.lastCall(self._handshake.deadline)
