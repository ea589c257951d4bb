"""
Whom actions ask for targets, and what they are refused.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.config.application import Application
from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.plugin import Plugin

from ..plugins.given import Point, Ring, given


class _Mute(Ring):
    name = "mute"

    def build(self, settings: Any, reactor: Any) -> Any:
        """Something that does not say where to go."""
        return object()


class MeansTests(SynchronousTestCase):
    """
    L{Means}.
    """

    def setUp(self) -> None:
        given(self, Point("mute", _Mute))
        self.means = Means(Clock(), Plugged(None))

    def test_function(self) -> None:
        """
        A function decides itself, whether it was handed in or has a name.
        """

        def pick(facts: object) -> str:
            return "a:1"

        self.assertIs(self.means.decider(pick), pick)
        self.assertIs(self.means.decider(Reference("operator:truth")), __import__("operator").truth)

    def test_source(self) -> None:
        """
        What a plug-in made decides by its method, one for equal settings.
        """
        ring = Plugin.having("ring", {"members": ["a:1"]})
        first, second = self.means.decider(ring), self.means.decider(ring)
        self.assertEqual(first, second)
        self.assertEqual(first, self.means.plugged.get("upstream", ring).pick)

    def test_refused(self) -> None:
        """
        What cannot decide is refused in words that say what and why.
        """
        mute = Plugin.having("mute", {"members": ["a:1"]})
        for callback, why in (
            (mute, "what it made has no method pick"),
            (Reference("nowhere.at.all"), "nowhere"),
            (Reference("math:pi"), "it is float, not a function"),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, self.means.decider, callback)))

    def test_application(self) -> None:
        """
        Where nobody serves applications they are refused by their name.
        """
        why = self.assertRaises(ValueError, self.means.application, Application("a:b", "wsgi"))
        self.assertIn("a:b", str(why))
