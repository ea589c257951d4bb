"""
Tests for L{smartproxy_tw.actions.seen}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.block import BlockAction
from smartproxy_tw.actions.pages import Fallback
from smartproxy_tw.actions.seen import Seen
from smartproxy_tw.interfaces import ISeenAction
from smartproxy_tw.routing.filling import Words
from smartproxy_tw.routing.patterns import pathPattern

from .recording import RecordingExchange, RecordingStream


class _Glass:
    """
    Makes itself the lens.
    """

    def lens(self, words: Words) -> Any:
        """It."""
        self.words = words
        return self


class SeenTests(SynchronousTestCase):
    """
    L{Seen}.
    """

    def test_lenses(self) -> None:
        """
        Each glass has a lens in each exchange before the action is asked, the last one nearest to it;
        all know the same words.
        """
        glasses = [_Glass(), _Glass()]
        action = Seen(glasses, "r", pathPattern("/u/:id"), BlockAction())
        verifyObject(ISeenAction, action)
        exchange = RecordingExchange.to("h", "/u/7")
        action.request(exchange)
        self.assertEqual(exchange.lenses, glasses[::-1])
        self.assertEqual(exchange.asked[0][:2], ("respond", 403))
        words = glasses[0].words
        self.assertIs(words, glasses[1].words)
        self.assertEqual((words.route, words.parameter("id")), ("r", "7"))

    def test_instead(self) -> None:
        """
        Whatever answers in place of the action is seen as it is.
        """
        glasses = [_Glass()]
        exchange = RecordingExchange.to("h", "/u/7")
        Seen(glasses, "r", pathPattern("/u/:id"), BlockAction()).instead(exchange, Fallback())
        self.assertEqual(exchange.lenses, glasses)
        self.assertEqual([each[:2] for each in exchange.asked], [("respond", 404)])
        self.assertEqual(glasses[0].words.route, "r")

    def test_stream(self) -> None:
        """
        What is not HTTP is handed on.
        """
        stream = RecordingStream()
        Seen((), "r", pathPattern(None), BlockAction()).stream(stream)
        self.assertEqual(stream.asked, [("abort",)])
