"""
Tests for L{smartproxy_tw.service.succession}; what becomes of it is in
L{tests.service.test_turnover}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Config
from smartproxy_tw.service.succession import Succession, portions


class PortionsTests(SynchronousTestCase):
    """
    L{portions}.
    """

    def test_portions(self) -> None:
        """
        Everything once, in its order, and never more at a time.
        """
        self.assertEqual([*portions("abcde", 2)], ["ab", "cd", "e"])
        self.assertEqual([*portions("abcd", 2)], ["ab", "cd"])
        self.assertEqual([*portions("", 2)], [])

    def test_nothing(self) -> None:
        """
        As long as nothing comes there is nothing.
        """
        config = Config((), "/")
        self.assertEqual(Succession(config, config).every, ())
