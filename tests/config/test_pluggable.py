"""
Tests for L{smartproxy_tw.config.pluggable}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Conditions, Plugin
from smartproxy_tw.config.pluggable import others, sourceName

from ..plugins.given import Point, given
from .reading import complaints, route, understood


class PluggedTests(SynchronousTestCase):
    """
    Actions and conditions of plug-ins.
    """

    def test_read(self) -> None:
        """
        They are had by their names, and settle the protocol.
        """
        given(self)
        found = route("{ports: 1, hours: {when: always}}", "{type: brew, text: tea}")
        self.assertEqual(found.action, Plugin.having("brew", {"text": "tea"}))
        self.assertEqual(found.conditions, Conditions(plugins=(Plugin.having("hours", {"when": "always"}),)))
        self.assertEqual(found.protocol, "http")
        tls = route("{ports: 1}", "{type: brew, text: tea, tls: {mode: terminate, certificate: internal}}")
        assert tls.tls is not None
        self.assertEqual((tls.tls.mode, tls.action), ("terminate", found.action))

    def test_mistakes(self) -> None:
        """
        Told with their places; what nobody knows with what there is.
        """
        given(self)
        for match, action, words in (
            ("ports: 1", "type: brew", "routes[0].action.text: Field required"),
            ("ports: 1", "type: brewer, text: a", "not 'brewer'; plug-ins give brew"),
            ("ports: 1, hours: {}", "type: block", "routes[0].match.hours.when: is needed"),
            ("ports: 1, hours: 3", "type: block", "has to be a mapping: the settings of the plug-in"),
            ("ports: 1, ours: {}", "type: block", "routes[0].match.ours: is not an option here"),
        ):
            told = complaints(f"routes: [{{match: {{{match}}}, action: {{{action}}}}}]")
            self.assertIn(words, "\n".join(told))

    def test_withoutAny(self) -> None:
        """
        Where nothing is met that the language has not, nobody looks for plug-ins.
        """
        from smartproxy_tw.plugins import discovery

        self.patch(discovery, "known", lambda: self.fail("somebody looked"))
        understood("routes: [{match: {ports: 1, clientIp: 10.0.0.1}, action: {type: block}}]")


class SourceTests(SynchronousTestCase):
    """
    Sources of targets.
    """

    def test_known(self) -> None:
        """
        A source has to be there by its name, and be a source.
        """
        given(self)
        self.assertEqual(sourceName("ring"), "ring")
        for name in ("rings", "brew", ""):
            with self.assertRaisesRegex(ValueError, "is no source of targets; plug-ins give ring"):
                sourceName(name)

    def test_leftOut(self) -> None:
        """
        Who looks for one that could not be loaded is told why it is missing.
        """
        given(self, Point("broken", ImportError("no module there")))
        self.assertRegex(others("upstream"), "; plug-ins give ring; the plug-in .*no module there")
