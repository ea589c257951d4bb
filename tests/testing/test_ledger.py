"""
Tests for L{smartproxy_tw.testing.ledger}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.testing.ledger import (
    AccountEntry,
    Authorization,
    Challenge,
    Order,
    date,
    problemDocument,
)
from smartproxy_tw.testing.signed import Refused

NOW = 1_800_000_000.0
REFUSED = Refused(403, "unauthorized", "wrong answer")
KEY: Any = object()


class LedgerTests(SynchronousTestCase):
    """
    An account that asks for two names.
    """

    def setUp(self) -> None:
        self.account = AccountEntry("https://ca/a/1", KEY, "thumb", ["mailto:ops@a.example"])
        self.authorizations = [self.authorization(name) for name in ("a.example", "b.example")]
        identifiers = tuple(each.identifier for each in self.authorizations)
        self.order = Order("https://ca/o/1", self.account, identifiers, self.authorizations, NOW + 60)

    def authorization(self, name: str, *, isWildcard: bool = False) -> Authorization:
        """
        For one name, which can be proved in two ways.
        """
        url = f"https://ca/z/{name}"
        ways = [Challenge(f"{url}/{kind}", kind, "token") for kind in ("http-01", "dns-01")]
        return Authorization(url, self.account, ("dns", name), isWildcard, ways, NOW + 60)

    def proves(self, authorization: Authorization) -> None:
        """
        A name is proved.
        """
        authorization.challenges[0].status = "valid"
        authorization.challenges[0].validated = NOW
        authorization.status = "valid"

    def fails(self, authorization: Authorization) -> None:
        """
        A name is not.
        """
        authorization.challenges[1].status = "invalid"
        authorization.challenges[1].problem = REFUSED
        authorization.status = "invalid"

    def test_account(self) -> None:
        """
        An account is shown with where its orders are, and not with its key.
        """
        shown = self.account.shown()
        self.assertEqual(
            shown,
            {
                "status": "valid",
                "contact": ["mailto:ops@a.example"],
                "termsOfServiceAgreed": True,
                "orders": "https://ca/a/1/orders",
            },
        )
        self.account.isActive, self.account.binding = False, {"payload": "x"}
        shown = self.account.shown()
        self.assertEqual(
            (shown["status"], shown["externalAccountBinding"]), ("deactivated", {"payload": "x"})
        )

    def test_pending(self) -> None:
        """
        As long as a name is not proved all ways to do so are offered, and the order waits.
        """
        self.proves(self.authorizations[0])
        shown = self.authorizations[1].shown()
        self.assertEqual([each["type"] for each in shown["challenges"]], ["http-01", "dns-01"])
        self.assertEqual(shown["identifier"], {"type": "dns", "value": "b.example"})
        self.assertEqual(shown["expires"], "2027-01-15T08:01:00Z")
        self.assertNotIn("wildcard", shown)
        self.assertEqual(self.order.status, "pending")
        self.assertEqual(self.order.shown()["finalize"], "https://ca/o/1/finalize")

    def test_wildcard(self) -> None:
        """
        That it is for a wildcard is told beside the name, and only then.
        """
        self.assertIs(self.authorization("a.example", isWildcard=True).shown()["wildcard"], True)

    def test_ready(self) -> None:
        """
        With all names proved it is ready, is processed when it is finalized, and has its
        certificate when there is one.
        """
        for each in self.authorizations:
            self.proves(each)
        [challenge] = self.authorizations[0].shown()["challenges"]
        self.assertEqual(
            (challenge["type"], challenge["status"], challenge["validated"]), ("http-01", "valid", date(NOW))
        )
        told = [self.order.status]
        self.order.isFinalized = True
        told.append(self.order.status)
        self.assertNotIn("certificate", self.order.shown())
        self.order.chain = b"PEM"
        told.append(self.order.status)
        self.assertEqual(told, ["ready", "processing", "valid"])
        self.assertEqual(self.order.shown()["certificate"], "https://ca/o/1/certificate")

    def test_invalid(self) -> None:
        """
        One name that was not proved makes the order invalid, and it says why; so does the challenge
        that decided it, which alone is shown.
        """
        self.fails(self.authorizations[1])
        self.assertEqual(self.order.status, "invalid")
        self.assertEqual(self.order.shown()["error"], problemDocument(REFUSED))
        [challenge] = self.authorizations[1].shown()["challenges"]
        self.assertEqual((challenge["type"], challenge["error"]["detail"]), ("dns-01", "wrong answer"))

    def test_deactivated(self) -> None:
        """
        What is given up is good for nothing any more; what was refused stays refused.
        """
        proved, pending, refused = *self.authorizations, self.authorization("c.example")
        self.proves(proved)
        self.fails(refused)
        for each in (proved, pending, refused):
            each.deactivate()
        self.assertEqual(
            [each.status for each in (proved, pending, refused)], ["deactivated", "deactivated", "invalid"]
        )
        self.assertEqual(self.order.status, "invalid")
        self.assertNotIn("error", self.order.shown())

    def test_good(self) -> None:
        """
        A proof counts until it expires.
        """
        [one, other] = self.authorizations
        self.proves(one)
        self.assertEqual(
            [each.isGood(now) for each in (one, other) for now in (NOW, NOW + 59.0, NOW + 60.0)],
            [True, True, False, False, False, False],
        )

    def test_further(self) -> None:
        """
        What it replaces, and its profile, are told where there are any.
        """
        self.assertEqual({"replaces", "profile"} & set(self.order.shown()), set())
        self.order.replaces, self.order.profile = "a.b", "short"
        shown = self.order.shown()
        self.assertEqual((shown["replaces"], shown["profile"]), ("a.b", "short"))

    def test_problem(self) -> None:
        """
        A refusal is a problem document of ACME's, with whatever else it tells.
        """
        refused = Refused(400, "badSignatureAlgorithm", "none of these", algorithms=["ES256"])
        self.assertEqual(
            problemDocument(refused),
            {
                "type": "urn:ietf:params:acme:error:badSignatureAlgorithm",
                "detail": "none of these",
                "status": 400,
                "algorithms": ["ES256"],
            },
        )

    def test_date(self) -> None:
        """
        A time is written in UTC, to the second below.
        """
        self.assertEqual(date(0.9), "1970-01-01T00:00:00Z")
        self.assertEqual(date(NOW), "2027-01-15T08:00:00Z")
