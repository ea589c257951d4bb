"""
Tests for L{smartproxy_tw.acme.failover}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import (
    AccountNotKept,
    AuthorityNonsense,
    AuthorityNotTrusted,
    AuthorityProblem,
    AuthorityUndecided,
    AuthorityUnreachable,
    ChallengeNotServed,
    ExternalAccountUnusable,
    HeldBack,
    NoChallengeUsable,
    PreflightFailed,
    Problem,
    ProfileNotOffered,
)
from smartproxy_tw.acme.failover import blame

URN = "urn:ietf:params:acme:error:"
HERE = "https://ca.example/directory"


def problem(word: str, status: int = 403, *within: str) -> Problem:
    """
    What an authority says.
    """
    return Problem(URN + word, "", status, subproblems=tuple(problem(each) for each in within))


class BlameTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """
        Every way to fail but an authority's own words.
        """
        for why, expected in (
            (AuthorityUnreachable(HERE, "timeout"), "away"),
            (AuthorityNotTrusted(HERE, "expired"), "away"),
            (AuthorityNonsense(HERE, "no JSON"), "busy"),
            (AuthorityUndecided("the order", 180.0), "busy"),
            (PreflightFailed([("a.example", "a.example: CAA forbids")], isForbidden=True), "refused"),
            (PreflightFailed([("a.example", "a.example: there is none")]), None),
            (HeldBack("too many", 3600.0), "busy"),
            (ExternalAccountUnusable(HERE, "none is configured"), "refused"),
            (ProfileNotOffered(HERE, "x", ()), "refused"),
            (NoChallengeUsable("a.example", ("dns-01",), ("http-01",)), "refused"),
            (ChallengeNotServed("a.example", "no worker"), None),
            (AccountNotKept(HERE, "disk full"), None),
            (RuntimeError("a bug"), None),
        ):
            self.assertEqual(blame(why), expected, why)

    def test_words(self) -> None:
        """
        What the authority says of an order as a whole.
        """
        for said, expected in (
            (problem("rejectedIdentifier", 400), "refused"),
            (problem("caa"), "refused"),
            (problem("unsupportedIdentifier", 400), "refused"),
            (problem("rateLimited", 429), "busy"),
            (problem("rateLimited", 403), "busy"),
            (problem("serverInternal", 500), "busy"),
            (problem("malformed", 503), "busy"),
            (problem("somethingOfItsOwn", 429), "busy"),
            (problem("unauthorized"), None),
            (problem("malformed", 400), None),
            (problem("compound", 400, "caa", "rejectedIdentifier"), "refused"),
            (problem("compound", 400, "caa", "dns"), None),
        ):
            self.assertEqual(blame(AuthorityProblem("ordering", said)), expected, said)

    def test_names(self) -> None:
        """
        A name that could not be proved could not be proved to anybody; one that
        is not to be certified by this authority (CAA) may be by another.
        """
        for words, expected in (
            (("dns",), None),
            (("caa",), "refused"),
            (("caa", "connection"), None),
            (("serverInternal",), None),
        ):
            byName = [(f"{word}.example", problem(word)) for word in words]
            why = AuthorityProblem("verifying", problem("compound", 500), byName=byName)
            self.assertEqual(blame(why), expected, words)
