"""
Tests for L{smartproxy_tw.guards.inquiry}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import ForwardAuth
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.guards.inquiry import Inquiry
from smartproxy_tw.guards.web import Reply

from .visiting import Arrival, connection


class _Web:
    """
    An auth server that answers when a test says so.
    """

    def __init__(self) -> None:
        self.asked: list[list[tuple[bytes, bytes]]] = []
        self.open: list[Deferred[Any]] = []
        self.isClosed = False

    def ask(self, url: str, fields: Iterable[tuple[bytes, bytes]], most: int) -> Deferred[Any]:
        """Later."""
        self.asked.append(list(fields))
        self.open.append(Deferred())
        return self.open[-1]

    def close(self) -> None:
        """Closed."""
        self.isClosed = True

    def says(self, status: int, *fields: tuple[bytes, bytes], body: bytes = b"") -> None:
        """To the last one who has asked."""
        self.open[-1].callback(Reply(status, fields, body))


class InquiryTests(SynchronousTestCase):
    """
    L{Inquiry}.
    """

    def setUp(self) -> None:
        self.web = _Web()

    def guard(self, **settings: Any) -> Inquiry:
        """
        One.
        """
        return Inquiry(ForwardAuth("http://auth.test/verify", **settings), self.web)

    def test_question(self) -> None:
        """
        What is asked: the fields of the request, and what it is, by the proxy's word only.
        """
        fields = [
            ("host", "a.test:8443"),
            ("cookie", "session=1"),
            ("authorization", "Bearer x"),
            ("accept", "text/html"),
            ("content-length", "5"),
            ("content-type", "text/plain"),
            ("expect", "100-continue"),
            ("if-none-match", '"x"'),
            ("range", "bytes=0-1"),
            ("x_forwarded_host", "evil.test"),
            ("x-original-url", "https://evil.test/"),
            ("x_original_url", "https://evil.test/"),
            ("x-original_method", "GET"),
            ("x.original.url", "https://evil.test/"),
            ("x_real_ip", "192.0.2.99"),
            ("x!forwarded!uri", "/public"),
            ("x-forwarded", "by"),
            ("x_forwarded", "by"),
        ]
        arrival = Arrival(
            self.guard(),
            fields=fields,
            method="POST",
            path="/a b".replace(" ", "%20"),
            query="c=d",
            by=connection(isTLS=True),
        )
        self.assertTrue(arrival.isWaiting)
        self.assertEqual(
            self.web.asked,
            [
                [
                    (b"cookie", b"session=1"),
                    (b"authorization", b"Bearer x"),
                    (b"accept", b"text/html"),
                    (b"content-type", b"text/plain"),
                    (b"X-Forwarded-Method", b"POST"),
                    (b"X-Forwarded-Proto", b"https"),
                    (b"X-Forwarded-Host", b"a.test:8443"),
                    (b"X-Forwarded-Uri", b"/a%20b?c=d"),
                    (b"X-Forwarded-For", b"192.0.2.1"),
                    (b"X-Real-IP", b"192.0.2.1"),
                    (b"X-Original-Method", b"POST"),
                    (b"X-Original-URL", b"https://a.test:8443/a%20b?c=d"),
                ]
            ],
        )

    def test_trustedPeer(self) -> None:
        """
        What a trusted proxy says of the client is said on; the fields of others never come here.
        """
        fields = [
            ("host", "inside"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a.test"),
        ]
        Arrival(self.guard(asked=("cookie",)), fields=fields, client="198.51.100.7")
        (asked,) = self.web.asked
        self.assertEqual(
            asked[:6],
            [
                (b"X-Forwarded-Method", b"GET"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"a.test"),
                (b"X-Forwarded-Uri", b"/"),
                (b"X-Forwarded-For", b"198.51.100.7, 192.0.2.1"),
                (b"X-Real-IP", b"198.51.100.7"),
            ],
        )

    def test_some(self) -> None:
        """
        Only those fields are sent that are to be.
        """
        Arrival(self.guard(asked=("cookie",)), fields=[("cookie", "a=b"), ("accept", "*/*")])
        self.assertEqual([name for name, _ in self.web.asked[0] if not name.startswith(b"X-")], [b"cookie"])

    def test_passes(self) -> None:
        """
        2xx: the request goes on with what the answer says of the user, and with nothing that the
        client says of him.
        """
        guard = self.guard(copied=("Remote-User", "Remote-Groups"), returned=("Set-Cookie",))
        lies = [("remote-user", "root"), ("remote_groups", "wheel"), ("Remote-Email".lower(), "kept@a.test")]
        for status in (200, 202, 204):
            arrival = Arrival(guard, fields=lies)
            self.web.says(
                status,
                (b"remote-user", b"ann"),
                (b"Set-Cookie", b"a=1"),
                (b"Set-Cookie", b"b=2"),
                (b"X-Other", b"x"),
                body=b"ignored",
            )
            self.assertTrue(arrival.hasPassed)
            self.assertEqual(arrival.exchange.sent, b"remote-email: kept@a.test\r\nremote-user: ann\r\n")
            self.assertEqual(
                arrival.exchange.shows(b"A: b\r\n"), b"A: b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            )

    def test_denies(self) -> None:
        """
        Any other answer is the client's, with its cookies and where it sends him.
        """
        for status in (301, 302, 303, 401, 403, 404, 429, 500, 503):
            arrival = Arrival(self.guard(copied=("Remote-User",)))
            self.web.says(
                status,
                (b"Location", b"https://login.test/?rd=https%3A%2F%2Fa.test%2F"),
                (b"Set-Cookie", b"a=1"),
                (b"Set-Cookie", b"b=2"),
                (b"WWW-Authenticate", b"Basic"),
                (b"Content-Length", b"2"),
                (b"Connection", b"close, X-Hop"),
                (b"X-Hop", b"1"),
                (b"Transfer-Encoding", b"chunked"),
                (b"Date", b"now"),
                body=b"no",
            )
            self.assertEqual(
                arrival.exchange.asked,
                [
                    (
                        "respond",
                        status,
                        (
                            b"Location: https://login.test/?rd=https%3A%2F%2Fa.test%2F\r\nSet-Cookie: a=1\r\n"
                            b"Set-Cookie: b=2\r\nWWW-Authenticate: Basic\r\n"
                        ),
                        b"no",
                    )
                ],
            )
            self.assertEqual(arrival.told, [("auth_denied", "192.0.2.1", f"the auth server said {status}")])
            # Pages for the proxy's own errors leave it alone.
            head, _ = arrival.exchange.seen(AnswerHead(status, b"", 2, isOurs=True))
            self.assertEqual(head.isOurs, status < 400)

    def test_oddNames(self) -> None:
        """
        What is no name of a field is not given on: it could end the line and begin another.
        """
        arrival = Arrival(self.guard())
        self.web.says(
            403, (b"X\rSet-Cookie", b"a=b"), (b"X Y", b"a"), (b"", b"a"), (b"X-\xff", b"a"), (b"X-Good", b"b")
        )
        self.assertEqual(arrival.status, 403)
        self.assertIn(b"X-Good: b\r\n", arrival.answer)
        for part in (b"Set-Cookie", b"X Y", b"\xff", b"\n:"):
            self.assertNotIn(part, arrival.answer)

    def test_unreachable(self) -> None:
        """
        Without an answer nobody passes, and the operator is told why.
        """
        arrival = Arrival(self.guard())
        self.web.open[0].errback(ConnectionRefusedError())
        self.assertEqual((arrival.status, arrival.reasons), (503, ["auth_unreachable"]))
        self.assertIn("cannot be connected to", arrival.told[0][2])

    def test_odd(self) -> None:
        """
        An answer that cannot be used lets nobody pass.
        """
        arrival = Arrival(self.guard())
        self.web.open[0].callback(None)
        self.assertEqual(arrival.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        arrival = Arrival(self.guard())
        self.web.says(999)
        self.assertEqual(arrival.status, 502)

    def test_clientLeaves(self) -> None:
        """
        A client who leaves takes his question with him.
        """
        guard = self.guard(questions=1)
        arrival = Arrival(guard)
        arrival.exchange.end()
        self.assertTrue(arrival.isWaiting)
        self.assertEqual(arrival.told, [])
        self.assertTrue(Arrival(guard).isWaiting)

    def test_concurrency(self) -> None:
        """
        So many are asked at a time; others are told to come again.
        """
        guard = self.guard(questions=2)
        first, _, third = (Arrival(guard) for _ in range(3))
        self.assertEqual((third.status, third.reasons), (503, ["auth_busy"]))
        self.web.open[0].callback(Reply(200, (), b""))
        self.assertTrue(first.hasPassed)
        self.assertTrue(Arrival(guard).isWaiting)

    def test_atOnce(self) -> None:
        """
        An answer that is there at once is as good as a later one.
        """

        def answered(*args: Any) -> Deferred[Any]:
            deferred: Deferred[Any] = Deferred()
            deferred.callback(Reply(self.status, (), b""))
            return deferred

        self.patch(self.web, "ask", answered)
        guard = self.guard(questions=1)
        for self.status, passes in ((200, True), (403, False), (200, True)):
            self.assertEqual(Arrival(guard).hasPassed, passes)

    def test_close(self) -> None:
        """
        Kept connections are closed with it.
        """
        self.guard().close()
        self.assertTrue(self.web.isClosed)
