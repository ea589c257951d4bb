"""
Guards before real connections: L{LocalPlane} with routes that ask who it is.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from smartproxy_tw.config.model import Forward, Limits, Respond, Route
from smartproxy_tw.config.security import (
    BasicAuth,
    CertificateHeaders,
    Cors,
    ForwardAuth,
    JWTAuth,
    RateLimit,
    Security,
    SecurityHeaders,
)
from smartproxy_tw.plane.census import cell

from ..config.reading import understood
from ..guards.test_bearer import SECRET
from ..guards.test_verifier import ARGON2, BCRYPT
from ..plane.conversation import GET, SessionTests, status
from ..plane.harness import Peer, reactor


def get(path: str = "/", *fields: str) -> bytes:
    """
    A request.
    """
    lines = "".join(f"{each}\r\n" for each in fields)
    return f"GET {path} HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n".encode()


def login(user: str, password: str) -> str:
    """
    The field that a browser sends.
    """
    return "Authorization: Basic " + b64encode(f"{user}:{password}".encode()).decode()


class _Auth(Protocol):
    """
    An auth server by the documented protocol: whoever has a session passes.
    """

    heard = b""

    def dataReceived(self, data: bytes) -> None:
        """Answer whole heads."""
        self.heard += data
        while b"\r\n\r\n" in self.heard:
            head, _, self.heard = self.heard.partition(b"\r\n\r\n")
            self.factory.questions.append(head)  # type: ignore[attr-defined, union-attr]
            if self.factory.isSilent:  # type: ignore[attr-defined, union-attr]
                continue
            if b"session=good" in head:
                answer = b"HTTP/1.1 200 OK\r\nRemote-User: ann\r\nContent-Length: 0\r\n\r\n"
            else:
                answer = (
                    b"HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\nSet-Cookie: state=1\r\n"
                    b"Content-Length: 5\r\n\r\nlogin"
                )
            self.transport.write(answer)  # type: ignore[union-attr]

    def connectionMade(self) -> None:
        """Counted."""
        self.factory.open.append(self)  # type: ignore[attr-defined, union-attr]


class GuardedTests(SessionTests):
    """
    One route with guards.
    """

    async def guarded(self, security: Security | None, **more: Any) -> Peer:
        """
        A client of a route that asks for this.
        """
        self.number, self.origin_ = await self.port(), self.origin()
        limits = more.pop("limits", Limits())
        self.route = Route(
            "a", (self.number,), Forward((self.origin_.target,)), "http", security=security, **more
        )
        await self.use(self.route, limits=limits)
        return await self.client(self.number)

    async def reaches(self, client: Peer, request: bytes) -> tuple[bytes, bytes]:
        """
        It comes to the target: what that gets, and what the client gets.
        """
        client.sends(request)
        server = await self.origin_.accepts() if not hasattr(self, "server") else self.server
        self.server = server
        head, _ = await server.message()
        server.sends(b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nok")
        answer, body = await client.message()
        self.assertEqual((status(answer), body), (200, b"ok"))
        return head, answer

    def denials(self, reason: str) -> int:
        """
        How many were counted.
        """
        return self.plane.engine.counts.get(cell("denied", reason, "a"), 0)

    async def test_lists(self) -> None:
        """
        Who is blocked gets 403, the connection goes on, and it is counted.
        """
        client = await self.guarded(Security(blocked=("127.0.0.0/8",)))
        for _ in range(7):
            head, body = await self.exchange(client)
            self.assertEqual((status(head), body), (403, b"Forbidden\n"))
        self.assertEqual(self.denials("blocked"), 7)
        counts = await self.plane.tally()
        self.assertEqual(counts[cell("denied", "blocked", "a")], 7)
        await self.use(Route("b", (self.number,), Respond(), "http"))
        self.assertEqual(self.denials("blocked"), 0)

    async def test_fromFile(self) -> None:
        """
        What a file says of who may come in is what the data path goes by: the classes of the file's language
        and those of the model have the same names, and are not taken for one another.
        """
        for networks, expected in (("192.0.2.0/24", 403), ("[192.0.2.0/24, 127.0.0.0/8]", 200)):
            port = await self.port()
            text = (
                f"routes: [{{name: a, match: {{ports: {port}}}, action: {{type: respond}},"
                f" security: {{ip_allow_list: {networks}}}}}]"
            )
            (route,) = understood(text).routes
            self.assertIs(type(route.security), Security)
            await self.use(route)
            head, _ = await self.exchange(await self.client(port))
            self.assertEqual(status(head), expected)

    async def test_rate(self) -> None:
        """
        Who asks too often is told when to come again; a reload that leaves the route as it is does not
        forget that.
        """
        client = await self.guarded(Security(limit=RateLimit(2, 60.0, 2)))
        await self.reaches(client, get())
        await self.reaches(client, get())
        head, _ = await self.exchange(client)
        self.assertEqual(status(head), 429)
        self.assertIn(b"Retry-After: ", head)
        await self.use(self.route, Route("b", (self.number,), Respond(), "http", path="/b"))
        head, _ = await self.exchange(client)
        self.assertEqual(status(head), 429)

    async def test_inFlight(self) -> None:
        """
        A request counts until its answer is over, or its client has left.
        """
        client = await self.guarded(Security(connections=1))
        client.sends(get())
        server = await self.origin_.accepts()
        await server.message()
        other = await self.client(self.number)
        head, _ = await self.exchange(other)
        self.assertEqual(status(head), 503)
        client.breaks()
        await server.loses()
        await self.reaches(other, get())
        await self.reaches(other, get())

    async def test_streams(self) -> None:
        """
        Connections that are not HTTP are counted while they last, and closed beyond.
        """
        number, origin = await self.port(), self.origin()
        security = Security(perClient=1, blocked=("192.0.2.1",))
        await self.use(Route("a", (number,), Forward((origin.target,)), "tcp", security=security))
        first = await self.client(number)
        first.sends(b"hello")
        server = await origin.accepts()
        await server.expects(b"hello")
        second = await self.client(number)
        await second.loses()
        self.assertEqual(self.denials("client_connections"), 1)
        first.breaks()
        await server.loses()
        third = await self.client(number)
        third.sends(b"again")
        await (await origin.accepts()).expects(b"again")

    async def test_basic(self) -> None:
        """
        Passwords are verified, and the target learns who it is.
        """
        settings = BasicAuth((("bob", BCRYPT), ("ann", ARGON2)), userHeader="X-User")
        client = await self.guarded(Security(basic=settings))
        head, _ = await self.exchange(client)
        self.assertEqual(status(head), 401)
        self.assertIn(b"WWW-Authenticate: Basic", head)
        for user in ("bob", "ann", "bob"):
            asked, _ = await self.reaches(client, get("/", login(user, "secret"), "X_User: root"))
            self.assertIn(f"X-User: {user}\r\n".encode(), asked)
            self.assertNotIn(b"root", asked)
            self.assertNotIn(b"Basic", asked)
        head, _ = await self.exchange(client, get("/", login("bob", "wrong")))
        self.assertEqual(status(head), 401)

    async def test_body(self) -> None:
        """
        The body of a request waits for the guard, and then goes on.
        """
        client = await self.guarded(Security(basic=BasicAuth((("bob", BCRYPT),))))
        request = get("/", login("bob", "secret"), "Content-Length: 5").replace(b"GET", b"POST")
        client.sends(request + b"he")
        client.sends(b"llo")
        server = await self.origin_.accepts()
        head, body = await server.message()
        self.assertEqual((head[:4], body), (b"POST", b"hello"))

    async def test_pipelined(self) -> None:
        """
        Requests that are sent without waiting are answered in order, those that wait for a guard too.
        """
        client = await self.guarded(Security(basic=BasicAuth((("bob", BCRYPT),))))
        client.sends(get("/", login("bob", "wrong")) + get() + get("/", login("bob", "secret")))
        for _ in range(2):
            head, _ = await client.message()
            self.assertEqual(status(head), 401)
        server = await self.origin_.accepts()
        await server.message()

    async def auth(self) -> str:
        """
        An auth server; its URL.
        """
        self.factory: Any = Factory.forProtocol(_Auth)
        self.factory.questions, self.factory.open, self.factory.isSilent = [], [], False
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self.factory)
        self.addCleanup(port.stopListening)
        self.addCleanup(self._hangUp)
        return f"http://127.0.0.1:{port.getHost().port}/verify"

    def _hangUp(self) -> Deferred[None]:
        for each in self.factory.open:
            each.transport.abortConnection()
        done: Deferred[None] = Deferred()
        reactor.callLater(0.02, done.callback, None)
        return done

    async def test_forward(self) -> None:
        """
        Somebody else is asked; the client gets his answer, or the target gets what he says.
        """
        settings = ForwardAuth(await self.auth(), copied=("Remote-User",))
        # Its deadline is not to be over at once, as delays are in these tests.
        self.plane._gatehouse.reactor = reactor
        client = await self.guarded(Security(forward=settings))
        head, body = await self.exchange(client, get("/secret?x=1"))
        self.assertEqual((status(head), body), (302, b"login"))
        self.assertIn(b"Location: https://login.test/\r\nSet-Cookie: state=1\r\n", head)
        self.assertIn(b"X-Forwarded-Uri: /secret?x=1", self.factory.questions[0])
        asked, _ = await self.reaches(client, get("/", "Cookie: session=good", "Remote_User: root"))
        self.assertIn(b"Remote-User: ann\r\n", asked)
        self.assertNotIn(b"root", asked)

    async def test_silence(self) -> None:
        """
        Nobody passes while he does not answer; a client who leaves meanwhile leaves nothing behind.
        """
        settings = ForwardAuth(await self.auth(), timeout=60.0, questions=1)
        client = await self.guarded(Security(forward=settings))
        self.factory.isSilent = True
        head, _ = await self.exchange(client)
        # Delays are over at once in these tests.
        self.assertEqual(status(head), 503)
        self.assertEqual(self.denials("auth_unreachable"), 1)
        head, _ = await self.exchange(client)
        self.assertEqual(status(head), 503)
        client.sends(get())
        client.breaks()
        await self.isIdle()

    async def test_token(self) -> None:
        """
        A good token passes, another one does not.
        """
        from joserfc import jwt
        from joserfc.jwk import OctKey

        settings = JWTAuth(("HS256",), secret=SECRET, claims=(("sub", "X-Sub"),), passesOn=False)
        client = await self.guarded(Security(jwt=settings))
        head, _ = await self.exchange(client, get("/", "Authorization: Bearer a.b.c"))
        self.assertEqual(status(head), 401)
        token = jwt.encode({"alg": "HS256"}, {"exp": 1 << 40, "sub": "ann"}, OctKey.import_key(SECRET))
        asked, _ = await self.reaches(client, get("/", f"Authorization: Bearer {token}", "X-Sub: root"))
        self.assertIn(b"X-Sub: ann\r\n", asked)
        self.assertNotIn(b"Bearer", asked)
        self.assertNotIn(b"root", asked)

    async def test_browsers(self) -> None:
        """
        Preflights are answered; answers say what browsers may do and have to be careful about.
        """
        client = await self.guarded(
            None,
            cors=Cors(("https://app.test",)),
            securityHeaders=SecurityHeaders((("X-Frame-Options", "DENY"), ("X-Own", "2")), "max-age=5"),
        )
        preflight = get("/", "Origin: https://app.test", "Access-Control-Request-Method: POST")
        head, _ = await self.exchange(client, preflight.replace(b"GET", b"OPTIONS"))
        self.assertEqual(status(head), 204)
        self.assertIn(b"Access-Control-Allow-Origin: https://app.test\r\n", head)
        _, answer = await self.reaches(client, get("/", "Origin: https://app.test"))
        self.assertIn(b"Access-Control-Allow-Origin: https://app.test\r\n", answer)
        self.assertIn(b"X-Frame-Options: DENY\r\n", answer)
        self.assertIn(b"X-Own: 1\r\n", answer)
        self.assertNotIn(b"Strict", answer)

    async def test_bodies(self) -> None:
        """
        A route may take longer bodies than others, or shorter ones; however their length is told.
        """
        client = await self.guarded(None, bodyBytes=5, limits=Limits(bodyBytes=3))
        whole = get("/", "Content-Length: 5").replace(b"GET", b"POST") + b"hello"
        chunked = get("/", "Transfer-Encoding: chunked").replace(b"GET", b"POST")
        await self.reaches(client, whole)
        await self.reaches(client, chunked + b"5\r\nhello\r\n0\r\n\r\n")
        head, _ = await self.exchange(client, get("/", "Content-Length: 6").replace(b"GET", b"POST"))
        self.assertEqual(status(head), 413)
        client = await self.client(self.number)
        head, _ = await self.exchange(client, chunked + b"6\r\nhello!\r\n0\r\n\r\n")
        self.assertEqual(status(head), 413)

    async def test_certificate(self) -> None:
        """
        Without TLS nobody has shown a certificate, and who says so is not believed.
        """
        client = await self.guarded(
            Security(certificate=CertificateHeaders("X-Subject", verified="X-Verified"))
        )
        asked, _ = await self.reaches(client, get("/", "X-Subject: CN=root", "X_Verified: SUCCESS"))
        self.assertIn(b"X-Verified: NONE\r\n", asked)
        self.assertNotIn(b"root", asked)
        self.assertNotIn(b"SUCCESS", asked)

    async def test_unguarded(self) -> None:
        """
        A route without guards has its action and nothing else.
        """
        client = await self.guarded(None)
        await self.reaches(client, GET)
        self.assertEqual(type(self.plane.engine.entrance(self.number).actions["a"]).__name__, "ForwardAction")
