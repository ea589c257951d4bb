"""
Tests for L{smartproxy_tw.acme.spared}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import (
    AuthorityProblem,
    AuthorityUnreachable,
    NoChallengeUsable,
    PreflightFailed,
    Problem,
)
from smartproxy_tw.acme.spared import spared

NAMES = ("shop.example", "www.shop.example", "mail.shop.example")
URN = "urn:ietf:params:acme:error:"


def problem(name: str | None = None, *within: Problem) -> Problem:
    """
    What an authority says, of a name or of none.
    """
    return Problem(URN + "dns", "no such name", 400, name=name, subproblems=within)


class SparedTests(SynchronousTestCase):
    """
    L{spared}.
    """

    def test_named(self) -> None:
        """
        Whoever refuses names leaves the others, in the order in which they were asked for.
        """
        for why in (
            NoChallengeUsable("www.shop.example", ["dns-01"], ["http-01"]),
            PreflightFailed([("www.shop.example", "www.shop.example: there is none")]),
            AuthorityProblem("verifying", problem(), byName={"www.shop.example": problem()}.items()),
            AuthorityProblem("ordering", problem(None, problem("www.shop.example"), problem())),
        ):
            self.assertEqual(spared(NAMES, why), ("shop.example", "mail.shop.example"), why)

    def test_ofEach(self) -> None:
        """
        What is said of each name counts before what is said of the order.
        """
        whole = problem(None, problem("shop.example"))
        why = AuthorityProblem("verifying", whole, byName={"mail.shop.example": problem()}.items())
        self.assertEqual(spared(NAMES, why), ("shop.example", "www.shop.example"))

    def test_none(self) -> None:
        """
        Nobody is left when all are named, and none is told apart when no name is.
        """
        for why in (
            PreflightFailed([(name, f"{name}: there is none") for name in NAMES]),
            AuthorityProblem("ordering", problem()),
            AuthorityProblem("ordering", problem(None, problem())),
            AuthorityUnreachable("https://ca.example/", "timeout"),
            ZeroDivisionError(),
        ):
            self.assertEqual(spared(NAMES, why), (), why)
