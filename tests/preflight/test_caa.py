"""
Tests for L{smartproxy_tw.preflight.caa}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.preflight.caa import (
    Allowed,
    Forbidden,
    Identity,
    Property,
    Undecided,
    climb,
    parse,
    rule,
)

from ..examples import examples, textOf

steady = examples(200)

ACCOUNT = "https://ca.test/account/1"
OURS = Identity(("ca.test", "ca.example"), ACCOUNT)


def issue(value: str, tag: str = "issue") -> Property:
    """
    A record that names somebody.
    """
    return Property(tag, value)


class ClimbTests(SynchronousTestCase):
    """
    Where records are looked for.
    """

    def test_upward(self) -> None:
        """
        At the name, and at each one above it but the root; a star is left out.
        """
        self.assertEqual(climb("a.b.test"), ("a.b.test", "b.test", "test"))
        self.assertEqual(climb("*.b.test"), ("b.test", "test"))


class ParseTests(SynchronousTestCase):
    """
    Bytes to records.
    """

    def test_read(self) -> None:
        """
        Flags, tag, value; tags are compared in lower case.
        """
        self.assertEqual(parse(b"\x00\x05Issueca.test"), Property("issue", "ca.test"))
        self.assertEqual(parse(b"\x80\x03tbs\xff"), Property("tbs", "\\xff", True))
        self.assertEqual(parse(b"\x00\x05issue"), Property("issue", ""))

    def test_cut(self) -> None:
        """
        What is cut off before its value begins is none.
        """
        whole = b"\x00\x05issue"
        for index in range(len(whole)):
            self.assertRaises(ValueError, parse, whole[:index])
        self.assertRaises(ValueError, parse, b"\x00\x00ca.test")
        self.assertRaises(ValueError, parse, b"\x00\x02a-ca.test")

    @steady
    @given(st.binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever comes is a record, of which something is ruled, or a L{ValueError}.
        """
        try:
            found = parse(data)
        except ValueError:
            return
        self.assertIsInstance(rule([found], OURS, "http-01", isWildcard=False), Allowed | Forbidden)


class RuleTests(SynchronousTestCase):
    """
    Who may issue.
    """

    def rules(
        self,
        *properties: Property,
        identity: Identity = OURS,
        kind: str = "http-01",
        isWildcard: bool = False,
    ) -> str:
        """
        What comes of records: a word, and the reason.
        """
        found = rule(properties, identity, kind, isWildcard=isWildcard)
        return "allowed" if isinstance(found, Allowed) else f"{type(found).__name__}: {found.reason}"

    def test_none(self) -> None:
        """
        Without a record that names issuers anybody may.
        """
        self.assertEqual(self.rules(), "allowed")
        self.assertEqual(self.rules(Property("iodef", "mailto:a@b.test", True)), "allowed")
        self.assertEqual(self.rules(issue("other.test", "issuewild")), "allowed")
        self.assertEqual(self.rules(issue("other.test", "issuemail")), "allowed")

    def test_named(self) -> None:
        """
        One of several that names the authority is enough, however it is written.
        """
        self.assertEqual(self.rules(issue("other.test"), issue(" CA.Test ; ")), "allowed")
        self.assertEqual(self.rules(issue("ca.example")), "allowed")

    def test_others(self) -> None:
        """
        Others are named: the reason says who, and who we ask.
        """
        self.assertEqual(
            self.rules(issue("b.test"), issue("a.test")),
            "Forbidden: only a.test and b.test may issue, and this authority is ca.test or ca.example",
        )

    def test_nobody(self) -> None:
        """
        A lone semicolon, and what makes no sense, forbid everybody, whoever asks.
        """
        for value in (";", "", "%%%%%", "ca.test; =", "ca.test; a b", "ca.test; x=\\xff\x01"):
            self.assertIn("Forbidden: " if ".test" in value else "nobody may issue", self.rules(issue(value)))
        self.assertIn("nobody", self.rules(issue(";"), identity=Identity()))

    def test_wildcard(self) -> None:
        """
        For a wildcard its own records count where there are any, and for it alone.
        """
        both = (issue("ca.test"), issue(";", "issuewild"))
        self.assertEqual(self.rules(*both), "allowed")
        self.assertIn("nobody may issue", self.rules(*both, isWildcard=True))
        self.assertEqual(self.rules(issue("ca.test"), isWildcard=True), "allowed")
        self.assertEqual(self.rules(issue(";"), issue("ca.test", "issuewild"), isWildcard=True), "allowed")

    def test_critical(self) -> None:
        """
        A critical record that nobody knows forbids; one that is not critical does not.
        """
        self.assertIn("'tbs'", self.rules(issue("ca.test"), Property("tbs", "x", True)))
        self.assertEqual(self.rules(issue("ca.test"), Property("tbs", "x")), "allowed")
        self.assertEqual(self.rules(Property("issue", "ca.test", True)), "allowed")

    def test_account(self) -> None:
        """
        It may be bound to an account: ours, another one, or none that is there yet.
        """
        mine, other = (issue(f"ca.test; accounturi={url}") for url in (ACCOUNT, "https://ca.test/account/2"))
        self.assertEqual(self.rules(mine), "allowed")
        self.assertEqual(self.rules(other, mine), "allowed")
        self.assertIn("https://ca.test/account/2 only, and the account is", self.rules(other))
        self.assertTrue(self.rules(other, identity=Identity(("ca.test",))).startswith("Undecided"))
        twice = issue(f"ca.test; accounturi={ACCOUNT}; AccountURI={ACCOUNT}")
        self.assertIn("two accounts", self.rules(twice))

    def test_methods(self) -> None:
        """
        It may be bound to challenges.
        """
        self.assertEqual(self.rules(issue("ca.test; validationmethods=dns-01,http-01")), "allowed")
        self.assertIn(
            "by dns-01 only, and http-01 is used", self.rules(issue("ca.test;validationmethods=dns-01"))
        )
        self.assertEqual(self.rules(issue("ca.test; validationmethods=dns-01"), kind="dns-01"), "allowed")

    def test_unnamed(self) -> None:
        """
        An authority that does not say what it is called may be the one that is meant.
        """
        found = rule([issue("ca.test")], Identity(), "http-01", isWildcard=False)
        self.assertIsInstance(found, Undecided)
        self.assertEqual(self.rules(identity=Identity()), "allowed")
        self.assertIn("'tbs'", self.rules(Property("tbs", "", True), identity=Identity()))

    @steady
    @given(textOf(" ;=.acet\t\\,-", 40), st.booleans())
    def test_anyValue(self, value: str, isWildcard: bool) -> None:
        """
        Who is named nowhere is never allowed by a record that is there.
        """
        self.assertIsInstance(
            rule([issue(value)], Identity(("nobody.invalid",)), "http-01", isWildcard=isWildcard), Forbidden
        )
