"""
What goes upstream in place of what came.
"""

from __future__ import annotations

from itertools import combinations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Respond, Route
from smartproxy_tw.facts import Amendment
from smartproxy_tw.plane.amending import amendedHead
from smartproxy_tw.plane.door import Prepared
from smartproxy_tw.wire.http1 import parseRequest

HEAD = (
    b"POST /a?b HTTP/1.1\r\nHost: a.test\r\nX-User: eve\r\nAccept: */*\r\nX_User: eve\r\n"
    b"Content-Length: 3\r\nx-USER: eve\r\nX.User: eve\r\nTE: trailers\r\n\r\n"
)


def prepared(head: bytes = HEAD) -> Prepared:
    """
    A request that a route has taken.
    """
    request = parseRequest(head)
    assert request is not None
    return Prepared(request, Route("r", (80,), Respond(), "http"), None, None, "", True)  # type: ignore[arg-type]


class AmendingTests(SynchronousTestCase):
    """
    L{amendedHead}.
    """

    def test_nothing(self) -> None:
        """
        With nothing to change it stays as it was.
        """
        self.assertEqual(amendedHead(prepared(), [Amendment()]), prepared().head)

    def test_all(self) -> None:
        """
        Target, fields and host change; what the proxy says itself, and what frames the
        body, stays. A removed field is gone in all its spellings.
        """
        amendment = Amendment(
            b"/new",
            frozenset((b"x-user", b"content-length", b"host", b"te")),
            b"X-User: ann\r\n",
            b"b.test",
        )
        self.assertEqual(
            amendedHead(prepared(), [amendment]),
            b"POST /new HTTP/1.1\r\nHost: b.test\r\nAccept: */*\r\nContent-Length: 3\r\nX-User: ann\r\n"
            b"Connection: TE\r\nTE: trailers\r\nX-Forwarded-Host: a.test\r\n",
        )

    def test_order(self) -> None:
        """
        The second one meets what the first one made of it.
        """
        both = [
            Amendment(b"/1", fields=b"X-A: 1\r\nX-B: 1\r\n"),
            Amendment(b"/2", frozenset((b"x-a",)), b"X-C: 2\r\n"),
        ]
        head = amendedHead(prepared(), both)
        self.assertTrue(head.startswith(b"POST /2 HTTP/1.1\r\n"), head)
        self.assertIn(b"X-B: 1\r\nX-C: 2\r\n", head)
        self.assertNotIn(b"X-A", head)

    def test_valid(self) -> None:
        """
        Whatever is removed, what is left is one valid head with the same framing.
        """
        names = (b"host", b"x-user", b"accept", b"content-length", b"te", b"cookie")
        for some in (each for size in range(len(names) + 1) for each in combinations(names, size)):
            head = amendedHead(prepared(), [Amendment(removed=frozenset(some))])
            request = parseRequest(head + b"\r\n")
            assert request is not None
            self.assertEqual((request.length, request.host, request.takesTrailers), (3, "a.test", True))
            self.assertEqual(request.raw, head + b"\r\n")
