"""
Tests for L{smartproxy_tw.actions.places}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.places import Places
from smartproxy_tw.config.revision import Rewrite
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import ILens
from smartproxy_tw.routing.filling import Words

from .recording import RecordingExchange


class PlacesTests(SynchronousTestCase):
    """
    L{Places}.
    """

    def test_mapped(self) -> None:
        """
        Places that targets name are turned into what clients can ask for, in whatever case the field is
        written; nothing else is touched, nor what the proxy answers itself.
        """
        exchange = RecordingExchange.to("a.test", "/api/x")
        places = Places(Rewrite("/api", mapsLocation=True))
        lens = places.lens(Words(exchange.facts, exchange.fields))
        verifyObject(ILens, lens)
        fields = b"X: /y\r\nLOCATION:  /login \r\nContent-Location: http://a.test/z\r\nX-Location: /a\r\n"
        self.assertEqual(
            lens.look(exchange.facts, AnswerHead(302, fields, 0)).fields,
            b"X: /y\r\nLOCATION:  /api/login\r\nContent-Location: http://a.test/api/z\r\nX-Location: /a\r\n",
        )
        ours = AnswerHead(302, fields, 0, isOurs=True)
        self.assertIs(lens.look(exchange.facts, ours), ours)
