"""
Tests for L{smartproxy_tw.service.errors}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import changes
from smartproxy_tw.config.model import Config
from smartproxy_tw.facts import Address
from smartproxy_tw.service.errors import ChangeRefused, ListenError, NotNow, RestartNeeded, StartError


class ErrorTests(SynchronousTestCase):
    """
    What they say, and to whom.
    """

    def test_restart(self) -> None:
        """
        Each obstacle is named with both values, and what to do; whoever can do nothing but
        refuse takes it for any other change that is refused.
        """
        found = changes(Config((), "/a"), replace(Config((), "/b"), workers=3))
        why = RestartNeeded(found)
        self.assertIsInstance(why, ChangeRefused)
        self.assertIs(why.changes, found)
        self.assertGreaterEqual(len(found.obstacles), 2)
        for each in found.obstacles:
            self.assertIn(str(each), str(why))
        self.assertIn("smartproxy upgrade", str(why))
        self.assertTrue(str(why).endswith("or take that back and reload again."))

    def test_listen(self) -> None:
        """
        A port that is refused is a start that fails, and its text is the whole message.
        """
        why = ListenError("Cannot listen on [::]:80: taken.", (Address("::", 80),))
        self.assertIsInstance(why, StartError)
        self.assertEqual(
            (str(why), why.addresses), ("Cannot listen on [::]:80: taken.", (Address("::", 80),))
        )

    def test_notNow(self) -> None:
        """
        Programs have a word for why, and when, if anybody knows.
        """
        self.assertIsNone(NotNow("starting", "soon").until)
        why = NotNow("held", "later", 12.0)
        self.assertEqual((why.code, str(why), why.until), ("held", "later", 12.0))
