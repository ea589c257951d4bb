"""
Tests for L{smartproxy_tw.service.inquiries}: certificates as they are asked about.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.errors import AuthorityUnreachable
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.config.model import Auto, CertificateSource, Internal
from smartproxy_tw.preflight.facts import Absent, NameFacts
from smartproxy_tw.service import inquiries
from smartproxy_tw.service.caution import Preflight
from smartproxy_tw.service.certificates import Certificates
from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.events import CertificateEvent
from smartproxy_tw.service.inquiries import Inquiries

from .configurations import BLOG, SHOP
from .test_caution import Looking
from .test_demands import CA, HOUR, NOW, DemandCase, problem


class InquiriesTests(DemandCase):
    """
    Somebody asks.
    """

    def served_(self, *sources: CertificateSource, **parts: Any) -> Certificates:
        """
        A start, and a desk.
        """
        self.desk = Desk()
        certificates = self.begin(*sources, **parts)
        self.inquiries = Inquiries(certificates, self.events, self.clock)
        self.inquiries.begin(self.desk)
        self.addCleanup(self.inquiries.end)
        return certificates

    def ask(self, verb: str, path: str, members: Any = None, **parameters: str) -> Reply:
        """
        Ask, and see that the answer can be told.
        """
        body = b"" if members is None else json.dumps(members).encode()
        asked = self.desk.answer(
            verb,
            f"/v1/certificates{path}",
            {key: (each,) for key, each in parameters.items()},
            body,
            "user 7",
        )
        reply = self.successResultOf(Deferred.fromCoroutine(asked))
        json.dumps(dict(reply.members))
        return reply

    def listed(self, reply: Reply) -> list[Any]:
        """
        Its list.
        """
        assert reply.listing is not None, reply
        return json.loads(json.dumps(list(reply.listing[1])))  # type: ignore[no-any-return]

    def refused(self, verb: str, path: str, members: Any = None, **parameters: str) -> tuple[int, str]:
        """
        The status and the code of a refusal.
        """
        reply = self.ask(verb, path, members, **parameters)
        return reply.status, reply.members["error"]["code"]

    def test_list(self) -> None:
        """
        All that is known of each, and what happened to it since.
        """
        self.served_(SHOP, Internal(("in.example",)), BLOG)
        shop, blog, internal = self.listed(self.ask("GET", ""))
        self.assertEqual(
            {key: shop[key] for key in ("key", "names", "source", "state", "revoked", "authority", "orders")},
            {
                "key": SHOP.key,
                "names": ["shop.example"],
                "source": "auto",
                "state": "valid",
                "revoked": False,
                "authority": CA,
                "orders": 1,
            },
        )
        self.assertEqual(int(shop["serial"], 16), describe(self.served.chain).serial)
        self.assertEqual((shop["not_after"], shop["expires_in"]), ("2027-04-15T08:00:00Z", 90 * 86400.0))
        self.assertEqual((internal["source"], internal["serial"], blog["state"]), ("internal", None, "valid"))
        self.assertEqual(shop["events"], [])
        self.authority.refuses(problem("caa"))
        self.ask("POST", "/renew", {"names": ["shop.example"]})
        (shop,) = self.listed(self.ask("GET", "", name="Shop.example"))
        self.assertEqual((shop["state"], shop["failures"], shop["orders"]), ("failed", 1, 2))
        self.assertGreater(shop["attempt_in"], 0)
        (event,) = shop["events"]
        self.assertEqual((event["kind"], event["at"]), ("failed", "2027-01-15T08:00:00Z"))
        self.assertIn("caa", event["problem"])

    def test_eventsAreBounded(self) -> None:
        """
        Of what happens to a certificate the latest is kept.
        """
        self.served_(SHOP)
        for _ in range(20):
            self.ask("POST", "/renew", {"names": ["shop.example"], "force": True})
        (shop,) = self.listed(self.ask("GET", "", key=SHOP.key))
        self.assertEqual([each["kind"] for each in shop["events"]], ["renewed"] * 8)

    def test_eventsOfThoseThatWere(self) -> None:
        """
        Routes come and go: what happened to certificates that are gone is not kept for
        ever.
        """
        self.served_(SHOP)
        self.ask("POST", "/renew", {"names": ["shop.example"]})
        for number in range(100):
            name = f"n{number}.example"
            self.events.tell(CertificateEvent("issued", Auto((name,)).key, (name,), 0.0))
        self.assertLess(len(self.inquiries._recent), 20)
        (shop,) = self.listed(self.ask("GET", "", key=SHOP.key))
        self.assertEqual([each["kind"] for each in shop["events"]], ["renewed"])

    def test_which(self) -> None:
        """
        By name and by identity; a name that nobody wants, or is none, is told.
        """
        self.served_(SHOP, BLOG)
        found = self.listed(self.ask("GET", "", key=BLOG.key, name="shop.example"))
        self.assertEqual([each["key"] for each in found], sorted([SHOP.key, BLOG.key]))
        self.assertEqual(self.listed(self.ask("GET", "", key="auto:gone")), [])
        self.assertEqual(self.refused("GET", "", name="else.example"), (404, "unknown-name"))
        self.assertEqual(self.refused("GET", "", name="https://x/"), (400, "bad-name"))
        self.assertEqual(self.refused("GET", "", nmae="x"), (400, "bad-question"))

    def test_renew(self) -> None:
        """
        One, or all; who is told when it ends can see that it did.
        """
        self.served_(SHOP, BLOG)
        self.authority.thinks()
        reply = self.ask("POST", "/renew", {"names": ["shop.example", SHOP.key]})
        (outcome,) = self.listed(reply)
        self.assertEqual((reply.status, outcome["outcome"], outcome["orders"]), (202, "ordering", 1))
        self.assertEqual(outcome["serial"], f"{describe(self.served.chain).serial:x}")
        reply = self.ask("POST", "/renew", {"all": True})
        self.assertEqual(
            {each["key"]: each["outcome"] for each in self.listed(reply)},
            {SHOP.key: "already-ordering", BLOG.key: "ordering"},
        )
        self.authority.decides()
        (shop,) = self.listed(self.ask("GET", "", key=SHOP.key))
        self.assertEqual((shop["orders"], self.orders), (2, 2))
        self.assertNotEqual(shop["serial"], outcome["serial"])

    def test_manyDoNotHoldUp(self) -> None:
        """
        With very many certificates others have their turn in between.
        """
        from smartproxy_tw.config.model import Auto

        self.patch(inquiries, "_AT_ONCE", 5)
        self.served_(*(Auto((f"a{number}.example",)) for number in range(12)))
        asked = Deferred.fromCoroutine(
            self.desk.answer("POST", "/v1/certificates/renew", {}, b'{"all": true}', "user 7")
        )
        self.assertNoResult(asked)
        self.clock.advance(0)
        self.assertEqual(len(self.listed(self.successResultOf(asked))), 12)

    def test_whichToRenew(self) -> None:
        """
        Nothing is renewed by mistake.
        """
        self.served_(SHOP)
        for members in ({}, {"names": []}, {"names": ["shop.example"], "all": True}, {"all": False}):
            self.assertEqual(self.refused("POST", "/renew", members), (400, "bad-question"), members)
        self.assertEqual(self.refused("POST", "/renew", {"names": ["else.example"]}), (404, "unknown-name"))
        self.assertEqual(self.refused("POST", "/renew", {"nmaes": ["x"], "all": True}), (400, "bad-question"))
        self.assertEqual(self.orders, 1)

    def test_notNow(self) -> None:
        """
        Why it cannot be is told in words and by a status: failed, held, away; and
        until when.
        """
        self.served_(SHOP)
        self.authority.refuses(problem("caa"))
        shop = {"names": ["shop.example"]}
        self.ask("POST", "/renew", shop)
        self.assertEqual(self.refused("POST", "/renew", shop), (409, "failed"))
        self.authority.refuses(problem("serverInternal", 500, retryAfter=HOUR))
        self.ask("POST", "/renew", {**shop, "force": True})
        reply = self.ask("POST", "/renew", {**shop, "force": True})
        self.assertEqual((reply.status, reply.fields), (429, {"Retry-After": "3600"}))
        error = reply.members["error"]
        self.assertEqual((error["code"], error["retry_at"]), ("held", "2027-01-15T09:00:00Z"))
        self.assertEqual(self.listed(reply)[0]["error"], error)
        self.authority.refuses(AuthorityUnreachable(CA, "refused"))
        self.clock.advance(HOUR)
        self.assertEqual(self.refused("POST", "/renew", shop), (503, "away"))

    def test_someRefused(self) -> None:
        """
        Where some can be and others cannot, each is told by itself.
        """
        self.served_(SHOP, BLOG)
        self.authority.refuses(problem("caa"), "shop.example")
        self.ask("POST", "/renew", {"names": ["shop.example"]})
        reply = self.ask("POST", "/renew", {"all": True})
        self.assertEqual((reply.status, "error" in reply.members), (202, False))
        self.assertEqual([each["outcome"] for each in self.listed(reply)], ["refused", "ordering"])

    def test_notByACME(self) -> None:
        """
        What is not by ACME is not ordered; where there is one by ACME for the name
        too, that one is meant.
        """
        self.served_(SHOP, Internal(("in.example", "shop.example")))
        self.assertEqual(self.refused("POST", "/renew", {"names": ["in.example"]}), (409, "not-possible"))
        (outcome,) = self.listed(self.ask("POST", "/renew", {"names": ["shop.example"]}))
        self.assertEqual((outcome["key"], outcome["outcome"]), (SHOP.key, "ordering"))

    def test_revoke(self) -> None:
        """
        It is revoked for the reason that was said, which is logged with who said it.
        """
        self.served_(SHOP)
        first, logged = self.served, []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        reply = self.ask("POST", "/revoke", {"names": ["shop.example"], "reason": "keyCompromise"})
        (outcome,) = self.listed(reply)
        self.assertEqual((reply.status, outcome["outcome"]), (200, "revoked"))
        self.assertEqual(int(outcome["serial"], 16), describe(first.chain).serial)
        self.assertEqual(self.authority.revoked, [(first, 1, True)])
        (asked,) = [each for each in logged if each.get("event") == "revocation-asked"]
        self.assertEqual(
            (asked["asker"], asked["reason"], asked["what"]), ("user 7", "keyCompromise", SHOP.key)
        )
        (shop,) = self.listed(self.ask("GET", "", key=SHOP.key))
        self.assertEqual([each["kind"] for each in shop["events"]], ["revoked", "renewed"])
        self.isFull = True
        (outcome,) = self.listed(
            self.ask("POST", "/revoke", {"names": ["shop.example"], "reason": "superseded"})
        )
        self.assertIn("No space left", outcome["problem"])

    def test_notRevoked(self) -> None:
        """
        Without a reason, or by an authority that refuses or is away, nothing is.
        """
        self.served_(SHOP)
        shop = {"names": ["shop.example"]}
        for reason in ({}, {"reason": "because"}, {"reason": 1}, {"reason": ["superseded"]}):
            self.assertEqual(self.refused("POST", "/revoke", shop | reason), (400, "bad-reason"))
        members = shop | {"reason": "superseded"}
        self.assertEqual(self.refused("POST", "/revoke", {**members, "all": True}), (400, "bad-question"))
        self.assertEqual(self.refused("POST", "/revoke", {"reason": "superseded"}), (400, "bad-question"))
        self.authority.refusesRevoking(problem("badRevocationReason", 400))
        self.assertEqual(self.refused("POST", "/revoke", members), (502, "authority"))
        self.authority.refusesRevoking(AuthorityUnreachable(CA, "refused"))
        self.assertEqual(self.refused("POST", "/revoke", members), (503, "away"))
        self.assertEqual((self.authority.revoked, self.orders), ([], 1))

    def test_both(self) -> None:
        """
        Of two certificates for the same names both are meant by a name.
        """
        self.served_(SHOP, keyType="both")
        outcomes = self.listed(self.ask("POST", "/renew", {"names": ["shop.example"]}))
        self.assertEqual([each["key"] for each in outcomes], [SHOP.key, "rsa:shop.example"])
        members = {"names": ["shop.example"], "reason": "cessationOfOperation"}
        outcomes = self.listed(self.ask("POST", "/revoke", members))
        self.assertEqual([each["outcome"] for each in outcomes], ["revoked", "revoked"])
        self.assertEqual((self.authority.twins[SHOP.names], self.orders), (3, 6))

    def test_completed(self) -> None:
        """
        What others know of a certificate is told with the rest.
        """
        certificates = self.begin(SHOP)
        self.desk = Desk()
        inquiries = Inquiries(
            certificates, self.events, self.clock, lambda status: replace(status, problem="a hook failed")
        )
        inquiries.begin(self.desk)
        self.addCleanup(inquiries.end)
        (shop,) = self.listed(self.ask("GET", ""))
        self.assertEqual((shop["state"], shop["problem"]), ("valid", "a hook failed"))

    def test_preflight(self) -> None:
        """
        Names are looked at by the proxy itself, which is asked by one at a time; only
        names of certificates by ACME, and not too many of them.
        """
        looking: Any = Looking()
        looking.found["shop.example"] = NameFacts("shop.example", "http-01", Absent())
        preflight = Preflight(lambda: looking, Choices(("http-01",)), self.clock)
        self.served_(SHOP, Internal(("in.example",)), preflight=preflight)
        (found,) = self.findings(self.ask("POST", "/preflight", {"names": ["Shop.example."]}))
        self.assertEqual((found["name"], found["check"], found["value"]), ("shop.example", "dns", "bad"))
        self.assertIn("NXDOMAIN", found["text"])
        self.assertIn("add an A", found["remedy"])
        for members, refusal in (
            ({}, (400, "bad-question")),
            ({"names": ["shop.example"] * 2 + [f"a{number}.example" for number in range(100)]}, None),
            ({"names": ["in.example"]}, (404, "unknown-name")),
            ({"names": ["a.in.example"]}, (404, "unknown-name")),
            ({"names": ["shop.example"], "force": True}, (400, "bad-question")),
        ):
            self.assertEqual(
                self.refused("POST", "/preflight", members), refusal or (400, "bad-question"), members
            )
        self.assertEqual(looking.looked, [("shop.example", "http-01")])
        looking.isSlow = True
        body = b'{"names": ["shop.example"]}'
        first = Deferred.fromCoroutine(
            self.desk.answer("POST", "/v1/certificates/preflight", {}, body, "user 7")
        )
        self.assertEqual(self.refused("POST", "/preflight", {"names": ["shop.example"]}), (429, "busy"))
        self.clock.advance(10)
        self.assertEqual(self.findings(self.successResultOf(first)), [])
        looking.isSlow = False
        self.assertEqual(self.ask("POST", "/preflight", {"names": ["shop.example"]}).status, 200)

    def findings(self, reply: Reply) -> list[Any]:
        """
        What was found.
        """
        assert reply.listing is not None and reply.listing[0] == "findings", reply
        return self.listed(reply)

    def test_noPreflight(self) -> None:
        """
        Where the configuration wants nobody to look, nobody does.
        """
        self.served_(SHOP)
        self.assertEqual(
            self.refused("POST", "/preflight", {"names": ["shop.example"]}), (409, "not-possible")
        )

    def test_ended(self) -> None:
        """
        At the end nothing is noted any more.
        """
        self.served_(SHOP)
        self.inquiries.end()
        self.ask("POST", "/renew", {"names": ["shop.example"]})
        (shop,) = self.listed(self.ask("GET", "", key=SHOP.key))
        self.assertEqual(shop["events"], [])
        self.assertEqual(NOW, self.clock.seconds())
