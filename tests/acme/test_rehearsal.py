"""
Tests for L{smartproxy_tw.acme.rehearsal}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUnreachable, NoChallengeUsable, Problem
from smartproxy_tw.acme.rehearsal import isUnproved, rehearses, stagingOf
from smartproxy_tw.config.model import LETSENCRYPT, LETSENCRYPT_STAGING

DAY = 86400.0


class RehearsalTests(SynchronousTestCase):
    """
    When an order is rehearsed, and where.
    """

    def test_where(self) -> None:
        """
        What is for Let's Encrypt is rehearsed at its staging environment; there,
        and elsewhere, nothing is.
        """
        self.assertEqual(stagingOf(LETSENCRYPT), LETSENCRYPT_STAGING)
        self.assertIsNone(stagingOf(LETSENCRYPT_STAGING))
        self.assertIsNone(stagingOf("https://ca.test/directory"))

    def test_when(self) -> None:
        """
        After three failures, but for one order every three days.
        """
        self.assertEqual(
            [rehearses(failures, 60.0) for failures in (0, 1, 2, 3, 4)], [False] * 3 + [True] * 2
        )
        self.assertTrue(rehearses(9, 2.9 * DAY))
        self.assertFalse(rehearses(9, 3 * DAY))

    def test_isUnproved(self) -> None:
        """
        What counts is a name that could not be proved, not an authority that
        does not want, or is not there.
        """
        problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
        self.assertTrue(isUnproved(AuthorityProblem("verifying", problem, byName=[("a.test", problem)])))
        self.assertTrue(isUnproved(NoChallengeUsable("a.test", ["dns-01"], ["http-01"])))
        self.assertFalse(isUnproved(AuthorityProblem("ordering", problem)))
        self.assertFalse(isUnproved(AuthorityUnreachable("https://ca.test/", "away")))
