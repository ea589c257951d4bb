"""
Tests for L{smartproxy_tw.guards.advice}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.config.security import SecurityHeaders
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.guards.advice import Advice
from smartproxy_tw.interfaces import ILens

NOSNIFF = b"X-Content-Type-Options: nosniff\r\n"
HSTS = b"Strict-Transport-Security: max-age=5\r\n"


class AdviceTests(SynchronousTestCase):
    """
    L{Advice}.
    """

    def seen(self, fields: bytes, isTLS: bool = True, wins: bool = False) -> bytes:
        """
        What a client gets.
        """
        settings = SecurityHeaders((("X-Content-Type-Options", "nosniff"),), "max-age=5", wins)
        advice = Advice(settings, isTLS)
        verifyObject(ILens, advice)
        facts: Any = None
        head = AnswerHead(200, fields, 3)
        found = advice.look(facts, head)
        self.assertEqual(found._replace(fields=fields), head)
        return found.fields

    def test_added(self) -> None:
        """
        Every answer has them; over TLS only the one that is about TLS.
        """
        self.assertEqual(self.seen(b"A: b\r\n"), b"A: b\r\n" + NOSNIFF + HSTS)
        self.assertEqual(self.seen(b"", isTLS=False), NOSNIFF)

    def test_targetWins(self) -> None:
        """
        What the target says itself stands.
        """
        own = b"strict-transport-security: max-age=9\r\nX-content-type-options: other\r\n"
        self.assertEqual(self.seen(own), own)

    def test_override(self) -> None:
        """
        Unless it is not to.
        """
        own = b"strict-transport-security: max-age=9\r\nA: b\r\nx-content-type-options: other\r\n"
        self.assertEqual(self.seen(own, wins=True), b"A: b\r\n" + NOSNIFF + HSTS)
