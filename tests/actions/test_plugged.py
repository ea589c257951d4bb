"""
What plug-ins have made, over reloads.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.build import buildAction
from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.config.model import Plugin, Route

from ..plugins.given import Brew, Point, given
from .recording import RecordingExchange


class _Odd(Brew):
    name = "odd"

    def build(self, settings: Any, reactor: Any) -> Any:
        """No action."""
        return object()


class PluggedTests(SynchronousTestCase):
    """
    L{Plugged}, and actions of plug-ins.
    """

    def test_kept(self) -> None:
        """
        The same settings have the same one, over a reload too; who is used no more is
        closed once.
        """
        given(self)
        one, other = (Plugin.having("brew", {"text": text}) for text in "ab")
        first = Plugged(None)
        made = first.get("action", one)
        self.assertIs(first.get("action", one), made)
        self.assertIsNot(first.get("action", other), made)
        second = Plugged(None, first)
        self.assertIs(second.get("action", one), made)
        gone = first.get("action", other)
        first.close(second)
        self.assertEqual((made.closed, gone.closed), (0, 1))
        second.close()
        self.assertEqual(made.closed, 1)

    def test_failing(self) -> None:
        """
        One that cannot be closed is told, and the others are closed.
        """
        given(self)
        plugged = Plugged(None)
        bad = plugged.get("action", Plugin.having("brew", {"text": "a"}))
        bad.close = lambda: 1 / 0
        good = plugged.get("upstream", Plugin.having("ring", {"members": ["a:1"]}))
        plugged.close()
        self.assertEqual(good.closed, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_action(self) -> None:
        """
        A route does what the plug-in made, which has to be an action.
        """
        given(self, Point("odd", _Odd))
        means = Means(Clock(), Plugged(None))
        upstream: Any = None
        route = Route("a", (80,), Plugin.having("brew", {"text": "tea"}), "http")
        exchange = RecordingExchange.to("a.test", "/")
        buildAction(route, upstream, means).request(exchange)
        self.assertEqual(exchange.asked, [("respond", 418, b"", b"tea")])
        odd = Route("a", (80,), Plugin.having("odd", {"text": "tea"}), "http")
        why = str(self.assertRaises(ValueError, buildAction, odd, upstream, means))
        self.assertIn("what it made provides no IAction", why)
