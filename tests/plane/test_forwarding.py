"""
Whom a trusted peer speaks for, and what is said of it.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address, ConnectionFacts
from smartproxy_tw.plane.forwarding import clientBehind, trustedMarks
from smartproxy_tw.plane.trust import Trust
from smartproxy_tw.wire.http1 import Request, parseRequest

PEER = ConnectionFacts(443, Address("10.0.0.9", 5), "a.test", (), True)
TRUST = Trust((ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))


def request(*lines: bytes) -> Request:
    """
    A request with these lines.
    """
    found = parseRequest(
        b"GET / HTTP/1.1\r\nHost: a.test:8\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )
    assert found is not None
    return found


class ClientTests(SynchronousTestCase):
    """
    L{clientBehind}.
    """

    def test_rightmost(self) -> None:
        """
        The rightmost address that is not trusted, whatever is to its left, over
        several lines.
        """
        for lines, wanted in (
            ((), "10.0.0.9"),
            ((b"X-Forwarded-For: 1.2.3.4",), "1.2.3.4"),
            ((b"X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1",), "1.2.3.4"),
            ((b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-For: 1.2.3.4 ,10.1.1.1"), "1.2.3.4"),
            ((b"X-Forwarded-For: 10.0.0.1, 10.0.0.2",), "10.0.0.1"),
            ((b"X-Forwarded-For: 1.2.3.4, junk",), "10.0.0.9"),
            ((b"X-Forwarded-For: junk, 10.1.1.1",), "10.1.1.1"),
            ((b"X-Forwarded-For: ,, ",), "10.0.0.9"),
            ((b"X-Forwarded-For: 1.2.3.4:567",), "1.2.3.4"),
            ((b"X-Forwarded-For: [2001:db9::1]:567",), "2001:db9::1"),
            ((b"X-Forwarded-For: 2001:db9::1, 2001:db8::7",), "2001:db9::1"),
            ((b"X-Forwarded-For: ::ffff:1.2.3.4",), "1.2.3.4"),
            ((b"X_Forwarded_For: 1.2.3.4",), "10.0.0.9"),
            ((b"X.Forwarded.For: 1.2.3.4",), "10.0.0.9"),
        ):
            self.assertEqual(clientBehind(request(*lines), PEER, TRUST.trusts), wanted, lines)


class MarksTests(SynchronousTestCase):
    """
    L{trustedMarks}.
    """

    def test_filledIn(self) -> None:
        """
        What the peer left out is ours to say.
        """
        self.assertEqual(
            trustedMarks(request(), PEER, "10.0.0.9"),
            b"X-Forwarded-For: 10.0.0.9\r\nX-Real-IP: 10.0.0.9\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Host: a.test:8\r\nX-Forwarded-Port: 443\r\n",
        )

    def test_handedOn(self) -> None:
        """
        What it said goes on, the last word where there are several; twins with
        underscores do not.
        """
        marks = trustedMarks(
            request(
                b"x-forwarded-for: 1.2.3.4",
                b"X-Forwarded-Proto: ftp",
                b"X-Forwarded-Proto: http",
                b"X_Forwarded_Host: evil",
                b"X-Forwarded-Host: b.test",
                b"X-Forwarded-Port: 80",
                b"X-Forwarded-Prefix: /p",
                b"Forwarded: for=1.2.3.4",
                b"X-Real-IP: 6.6.6.6",
            ),
            PEER,
            "1.2.3.4",
        )
        self.assertEqual(
            marks,
            b"X-Forwarded-For: 1.2.3.4, 10.0.0.9\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
            b"X-Forwarded-Host: b.test\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Prefix: /p\r\n"
            b"Forwarded: for=1.2.3.4\r\n",
        )
