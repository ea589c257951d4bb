"""
Tests for L{smartproxy_tw.config.plugin}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.plugin import Plugin, WrongSettings, plugins

from ..plugins.given import given


class PluginTests(SynchronousTestCase):
    """
    A plug-in by its name, and how it is set.
    """

    def test_same(self) -> None:
        """
        Settings in another order are the same settings, and come back as they were.
        """
        there = Plugin.having("tea", {"b": [1, {"c": None}], "a": "ü"})
        self.assertEqual(there, Plugin.having("tea", {"a": "ü", "b": [1, {"c": None}]}))
        self.assertEqual(there.settings, {"b": [1, {"c": None}], "a": "ü"})
        self.assertEqual(str(there), "plug-in tea")

    def test_own(self) -> None:
        """
        Whoever changes the settings that it got changes nobody else's.
        """
        there = Plugin.having("tea", {"a": []})
        there.settings["a"].append(1)
        self.assertEqual(there.settings, {"a": []})

    def test_plain(self) -> None:
        """
        What cannot travel as text is refused.
        """
        for value in (object(), b"bytes", {1, 2}, float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                Plugin.having("tea", {"a": value})

    def test_wrong(self) -> None:
        """
        Several mistakes are told at once, each with its place.
        """
        wrong = WrongSettings((("a", 0), "is one"), (("b",), "is another"))
        self.assertEqual(str(wrong), "is one; is another")
        self.assertEqual(wrong.mistakes, [(("a", 0), "is one"), (("b",), "is another")])

    def test_known(self) -> None:
        """
        What there is are those that were found.
        """
        there = given(self)
        self.assertIs(plugins(), there)
