"""
A door is where HTTP comes in: one port, with TLS or without.  It knows what is
to become of a request, and remembers it for heads that come again.

The sessions of a port keep their door for life; a new table changes what is
behind it, from the next request on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..facts import RequestFacts
from ..interfaces import IAction, IExchange, ISeenAction, IStream
from ..routing.sight import Sight
from ..wire.http1 import BadMessage, parseRequest
from ..wire.lines import pairs
from .answers import plainAnswer
from .forwarding import believedLines, clientBehind, settle, trustedMarks
from .identity import versionOf
from .numbers import believed
from .session import Session
from .spell import idleOf
from .tls import TLSWire

if TYPE_CHECKING:
    from ..config.model import Route, TLSPolicy
    from ..facts import ConnectionFacts
    from ..routing.table import PortTable
    from ..wire.http1 import Request
    from .engine import Engine
    from .wires import Wire

__all__ = ["Door", "Prepared"]

# A memo is emptied when it has so many heads; a longer head is not remembered, in bytes.
_MEMO = 1024
_MEMO_BYTES = 2048

_CHALLENGE = b"/.well-known/acme-challenge/"


class Prepared:
    """
    A request whose fate is decided.  Never changed after it was made.

    @ivar request: Its head.
    @ivar route: The route that took it; L{None} when none did.
    @ivar action: What is to be done.
    @ivar serverName: The SNI that the decision was made for.
    @ivar client: The address of the client that a trusted peer spoke for;
        otherwise empty.
    @ivar head: Request line and fields that go upstream, but for the
        forwarding fields that belong to the connection, the number of the
        request and the empty line.
    @ivar isNumbered: Whether a number of ours is to go with it.
    @ivar number: The one that a trusted peer has given it; otherwise empty.
    @ivar idle: So long nothing may move until it has ended, in seconds.
    @ivar isLasting: Whether it serves for the same head that comes by the same name and
        protocol, until there is another table.
    """

    __slots__ = (
        "action",
        "client",
        "head",
        "idle",
        "isLasting",
        "isNumbered",
        "number",
        "record",
        "request",
        "route",
        "serverName",
    )

    def __init__(
        self,
        request: Request,
        route: Route | None,
        action: IAction,
        serverName: str | None,
        client: str,
        isNumbered: bool = False,
        *,
        idle: float = float("inf"),
    ) -> None:
        """
        @param isNumbered: Whether numbers are given to requests.  Otherwise
            those that came go on, as any other field.
        @param idle: See above.
        """
        self.request = request
        self.route = route
        self.action = action
        self.serverName = serverName
        self.client = client
        self.isLasting = False
        self.idle = idle
        #: What the access log has made of the head; see L{smartproxy_tw.plane.record}.
        self.record: tuple[str, str] | None = None
        head = request.method + b" " + request.target.origin
        head += b" HTTP/1.1\r\n" if request.minor else b" HTTP/1.0\r\n"
        head += request.fields
        if request.upgrade and request.takesTrailers:
            head += b"Connection: Upgrade, TE\r\nUpgrade: " + request.upgrade + b"\r\nTE: trailers\r\n"
        elif request.upgrade:
            head += b"Connection: Upgrade\r\nUpgrade: " + request.upgrade + b"\r\n"
        elif request.takesTrailers:
            head += b"Connection: TE\r\nTE: trailers\r\n"
        self.number = believed(request.identified) if isNumbered and client else b""
        self.isNumbered = isNumbered and not self.number
        if self.number:
            head += b"X-Request-ID: " + self.number + b"\r\n"
        elif not isNumbered:
            head += request.identified
        if not client and request.authority:
            head += b"X-Forwarded-Host: " + request.authority + b"\r\n"
        self.head = head

    def facts(self, connection: ConnectionFacts, number: str = "") -> RequestFacts:
        """
        @param number: As L{RequestFacts.requestID}.
        @return: The request as rules see it.
        """
        request = self.request
        target = request.target
        return RequestFacts(
            connection,
            request.method.decode("ascii"),
            request.host,
            target.path.decode("ascii"),
            (target.query or b"").decode("ascii"),
            self.client or connection.client.host,
            number,
            request.upgrade.decode("latin-1").lower(),
        )

    def trustedMarks(self, connection: ConnectionFacts) -> bytes:
        """
        @return: The forwarding fields for a request by a trusted peer.
        """
        return trustedMarks(self.request, connection, self.client)


@implementer(IAction)
class _Answer:
    """
    A fixed short answer.
    """

    def __init__(self, status: int) -> None:
        self._answer = plainAnswer(status)

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        exchange.respond(*self._answer)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        stream.abort()


@implementer(IAction)
class _Challenge(_Answer):
    """
    The body of an http-01 challenge (RFC 8555 section 8.3).
    """

    def __init__(self, keyAuthorization: str) -> None:
        self._answer = (200, b"Content-Type: application/octet-stream\r\n", keyAuthorization.encode("ascii"))


@implementer(IAction)
class _Instead:
    """
    A short answer in place of an action whose answers are changed on their way.
    """

    def __init__(self, seen: ISeenAction, answer: IAction) -> None:
        self._seen = seen
        self._answer = answer

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        self._seen.instead(exchange, self._answer)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        stream.abort()


def _instead(action: IAction, answer: IAction) -> IAction:
    return _Instead(action, answer) if ISeenAction.providedBy(action) else answer


_NOT_FOUND = _Answer(404)
_MISDIRECTED = _Answer(421)
_TOO_LARGE = _Answer(413)


class Door:
    """
    @ivar engine: Whose door it is.
    @ivar number: The port.
    @ivar memo: What heads came to, by their bytes.
    @ivar isClosing: Whether each session has one more request at most.

    The policy of the handshake belongs to the door, and sessions keep their door:
    neither a memo nor a new table lets a request come to a route that demands
    something else.

    A memo is for whoever sends the same bytes by the same name: it has no decision for
    which something else was looked at, such as the client's address.
    """

    def __init__(self, engine: Engine, number: int, isTLS: bool, policy: TLSPolicy | None = None) -> None:
        self._policy = policy
        self.engine = engine
        self.number = number
        self._isTLS = isTLS
        self._table: PortTable | None = None
        self._actions: dict[str, IAction] = {}
        self._fallback: IAction = _NOT_FOUND
        self.memo: dict[bytes, Prepared] = {}
        self.isClosing = False

    def use(self, table: PortTable | None, actions: dict[str, IAction]) -> None:
        """
        Decide by this from now on.

        @param table: The routes of the port; L{None} when none is left.
        @param actions: What each route does, by its name; and by none what is done with a request
            that no route takes, if not the usual.
        """
        self._table = table
        self._actions = actions
        self._fallback = actions.get("", _NOT_FOUND)
        self.memo = {}
        self.isClosing = False

    def open(self, wire: Wire, connection: ConnectionFacts, early: bytes = b"", isHot: bool = True) -> None:
        """
        Begin a session.

        @param wire: Registered with the poller.
        @param early: What was read of it already.
        @param isHot: Whether there may be something to read for which no event will come.
        """
        Session(self, wire, connection, early, isHot)

    def openFrames(self, wire: Wire, connection: ConnectionFacts, early: bytes = b"") -> None:
        """
        Begin a connection of HTTP/2.

        @param wire: Registered with the poller.
        @param early: What was read of it already.
        """
        from .multiplex import Multiplex

        Multiplex(self, wire, connection, early)

    def understand(self, data: bytes, connection: ConnectionFacts, wire: Wire) -> Prepared | None:
        """
        Parse a head and decide what is to become of the request.

        @param data: What has come so far.
        @param wire: What it has come by.
        @return: L{None} while the head is not complete.
        @raise BadMessage: It is refused.
        """
        limits = self.engine.limits
        request = parseRequest(data, limits.headBytes, limits.urlBytes)
        if request is None:
            return None
        scheme = request.target.scheme
        if scheme is not None and (scheme == b"https") != connection.isTLS:
            # RFC 9110 section 7.4; who is trusted may have had TLS at its own end.
            if not self.engine.trusts(connection.client.host):
                raise BadMessage(421, f"the target begins with {scheme.decode('ascii')}://")
        prepared = self.decide(request, connection, wire)
        if (
            prepared.isLasting
            and len(request.raw) == len(data) <= _MEMO_BYTES
            and not (request.hasSecrets or request.expectsContinue or request.upgrade)
        ):
            if len(self.memo) >= _MEMO:
                self.memo.clear()
            self.memo[data] = prepared
        return prepared

    def decide(self, request: Request, connection: ConnectionFacts, wire: Wire) -> Prepared:
        """
        Decide what is to become of a request.

        @param wire: What it has come by.
        """
        engine = self.engine
        if request.target.path.startswith(_CHALLENGE):
            answer = engine.http01(request.target.path[len(_CHALLENGE) :], request.host)
            if answer is not None:
                return Prepared(
                    request, None, _Challenge(answer), connection.serverName, "", idle=engine.timeouts.idle
                )
        isTrusted = engine.trusts(connection.client.host)
        client = ""
        if isTrusted:
            client = clientBehind(request, connection, engine.trusts)
            settle(request)
        table = self._table
        sight = None
        if table is not None and table.requestFactsBeyondPath:
            sight = _sight(request, client or connection.client.host, wire, isTrusted)
        # Whom the connection is from is another matter than whom the request is from.
        peer = Sight(connection.client.host) if table is not None and table.asksClient else None
        route, action = self._decide(request, connection, sight, peer)
        most = self.bodyBytes(route)
        if request.length > most > 0:
            # Before anything is sent upstream; whoever expects 100 meets this in its place.
            engine.refused(413, f"the body is longer than {most} bytes", connection)
            action = _instead(action, _TOO_LARGE)
        prepared = Prepared(
            request,
            route,
            action,
            connection.serverName,
            client,
            engine.numbersRequests,
            idle=idleOf(route, engine.timeouts),
        )
        prepared.isLasting = (
            request.length == 0
            and route is not None
            and not (sight is not None and sight.isPersonal)
            and not (peer is not None and peer.isPersonal)
            and engine.remembersHeads
            and not request.target.path.startswith(_CHALLENGE)
        )
        return prepared

    def bodyBytes(self, route: Route | None) -> int:
        """
        How long the body of a request may be.

        @param route: Where it goes.
        @return: In bytes, chunks undone; 0: any length.
        """
        own = None if route is None else route.bodyBytes
        return self.engine.limits.bodyBytes if own is None else own

    def _decide(
        self, request: Request, connection: ConnectionFacts, sight: Sight | None, peer: Sight | None
    ) -> tuple[Route | None, IAction]:
        table = self._table
        if table is None:
            self.engine.missed(self.number, f"no route on port {self.number}", connection)
            return None, self._fallback
        if self._isTLS and table.isMisdirected(connection.serverName, request.host, peer):
            reason = f"Host {request.host} over a connection for another name"
            self.engine.missed(self.number, reason, connection)
            return None, self._misdirected()
        path = request.target.path.decode("ascii")
        decision = table.decideRequest(self._isTLS, request.host, path, sight)
        route = getattr(decision, "route", None)
        if route is None:
            self.engine.missed(self.number, getattr(decision, "reason", ""), connection)
            return None, self._fallback
        if self._isTLS and route.tls.policy != self._policy:
            # However the request came to this route: the handshake was not held to what the route wants.
            reason = f"route {route.name} has another TLS policy than the connection began by"
            self.engine.missed(self.number, reason, connection)
            return None, self._misdirected()
        return route, self._actions[route.name]

    def _misdirected(self) -> IAction:
        # Of a route that this connection is not for nothing is to be seen, not even its pages.
        return _instead(self._fallback, _MISDIRECTED)


def _sight(request: Request, client: str, wire: Wire, isTrusted: bool) -> Sight:
    """
    What conditions look at: of the header fields those that go on, since others may be
    there for somebody else, or be a lie.
    """

    def fields() -> list[tuple[str, str]]:
        lines = request.fields + (believedLines(request) if isTrusted else b"")
        if request.upgrade:
            lines += b"Upgrade: " + request.upgrade + b"\r\n"
        return pairs(lines)

    def version() -> str | None:
        return versionOf(wire.connection) if isinstance(wire, TLSWire) else None

    query = (request.target.query or b"").decode("ascii")
    return Sight(client, request.method.decode("ascii"), query, fields, version)
