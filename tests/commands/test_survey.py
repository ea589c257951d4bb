"""
Tests for L{smartproxy_tw.commands.survey}.
"""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.survey import asDivided, survey
from smartproxy_tw.commands.waiting import result
from smartproxy_tw.config.model import Auto, Files, Internal
from smartproxy_tw.store.attempts import Attempt, DirectoryAttempts
from smartproxy_tw.store.certificates import Credentials, DirectoryCertificates
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.naming import authorityName
from smartproxy_tw.store.uses import DirectoryUses, Uses

from ..service.configurations import BLOG, configuration
from ..store.test_imports import DAY, NOW, SIGNER

SHOP = Auto(("shop.example",))


class SurveyTests(SynchronousTestCase):
    """
    A state directory that no proxy uses.
    """

    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        self.config = configuration(self.state, SHOP, BLOG)

    def place(self) -> SecureDirectory:
        """
        What is kept of the preferred authority.
        """
        name = authorityName(self.config.acme.directory)
        return SecureDirectory(os.path.join(self.state, "certificates", name)).open()

    def test_nothing(self) -> None:
        """
        Where there is no state directory everything is missing, and none is made.
        """
        found = survey(self.config, NOW)
        self.assertEqual([each.state for each in found], ["missing", "missing"])
        self.assertEqual([each.next for each in found], [NOW, NOW])
        self.assertFalse(os.path.exists(self.state))

    def test_once(self) -> None:
        """
        What several routes want is told once, with all of them.
        """
        (found,) = survey(configuration(self.state, SHOP, SHOP), NOW)
        self.assertEqual((found.routes, found.names), (("route0", "route1"), SHOP.names))

    def test_states(self) -> None:
        """
        A certificate is valid, then due, then expired.
        """
        credentials = Credentials(DirectoryCertificates(self.place()))
        result(credentials.save(SIGNER.issue(SHOP.names, lifetime=90 * DAY, now=NOW)))
        for day, state in ((1, "valid"), (80, "due"), (91, "expired")):
            found = survey(self.config, NOW + day * DAY)[0]
            self.assertEqual((found.state, found.authority), (state, self.config.acme.directory))

    def test_failed(self) -> None:
        """
        After failures it is asked for as the proxy would, as the authority wished at the
        earliest.
        """
        wish = NOW + 5 * 3600.0
        DirectoryAttempts(self.place()).save({SHOP.key: Attempt(NOW, 2, wish, "no")})
        found = survey(self.config, NOW)[0]
        self.assertEqual(found.why, "after 2 failures in a row; the authority asked for that long")
        self.assertEqual(found.next, wish)

    def test_others(self) -> None:
        """
        What is not by ACME has no next time that we know.
        """
        config = configuration(self.state, Internal(("a.test",)), Files("/nowhere/c", "/nowhere/k"))
        internal, files = survey(config, NOW)
        self.assertEqual((internal.state, internal.next), ("internal", None))
        self.assertEqual((files.state, files.names, files.next), ("unusable", (), None))
        self.assertIn("/nowhere/c", files.why or "")

    def test_divided(self) -> None:
        """
        What an authority has said of how many names it takes divides as it does in the
        proxy.
        """
        self.assertEqual(asDivided(self.config), self.config)
        DirectoryUses(self.place()).save(Uses(mostNames={"": 1}))
        found = survey(asDivided(replace(self.config)), NOW)
        self.assertEqual([each.names for each in found], [SHOP.names, *((name,) for name in BLOG.names)])
