"""
Tests for L{smartproxy_tw.acme.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme import errors
from smartproxy_tw.acme.errors import (
    AuthorityNotTrusted,
    AuthorityProblem,
    AuthorityUnreachable,
    IssuanceFailed,
    Problem,
)

LIMITED = Problem("urn:ietf:params:acme:error:rateLimited", "too many certificates", 429)


class ErrorTests(SynchronousTestCase):
    def test_oneFamily(self) -> None:
        """
        Whoever asks for a certificate has one kind of failure to catch.
        """
        for name in errors.__all__:
            if name != "Problem":
                self.assertTrue(issubclass(getattr(errors, name), IssuanceFailed), name)

    def test_problem(self) -> None:
        """
        A refusal says what was being done, what the authority said, and how
        long to wait; all of it is at hand as values, too.
        """
        why = AuthorityProblem("ordering a.example", LIMITED, retryAfter=3600.0)
        self.assertEqual(
            str(why),
            "The certificate authority refused while ordering a.example: too many certificates"
            " (rateLimited). It asks to wait 3600 s.",
        )
        self.assertEqual((why.type, why.detail, why.status), (LIMITED.type, LIMITED.detail, 429))
        self.assertEqual((why.subproblems, why.retryAfter, why.byName), ((), 3600.0, {}))

    def test_byName(self) -> None:
        """
        A refusal of several names says each with its reason, once.
        """
        why = AuthorityProblem(
            "verifying a.example, b.example",
            LIMITED,
            byName=[
                ("a.example", Problem("urn:ietf:params:acme:error:dns", "no such name", 400, "a.example")),
                ("b.example", Problem("urn:ietf:params:acme:error:connection", "refused", 400)),
            ],
        )
        self.assertTrue(str(why).endswith("a.example: no such name (dns); b.example: refused (connection)."))

    def test_unreachable(self) -> None:
        """
        Not to be reached and not to be trusted are told apart by the text, and
        the second is a case of the first.
        """
        away = AuthorityUnreachable("https://ca.example/", "connection refused", retryAfter=9.0)
        self.assertIn("cannot be reached at https://ca.example/: connection refused.", str(away))
        self.assertEqual(away.retryAfter, 9.0)
        strange = AuthorityNotTrusted("https://ca.example/", "certificate has expired")
        self.assertIn("is not trusted: certificate has expired.", str(strange))
        self.assertIn("acme.ca_file", str(strange))
        self.assertIsInstance(strange, AuthorityUnreachable)
        self.assertIsNone(strange.retryAfter)
