"""
Tests for L{smartproxy_tw.testing.registry}: what a strict authority refuses.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.acme.x509 import describe, newKey
from smartproxy_tw.testing.signed import Refused, SignedRequest, decoded

from .story import RegistryStory


class RegistryTests(RegistryStory):
    def test_wholeLife(self) -> None:
        """
        Order, proof, request, certificate.
        """
        order = self.order("a.example", "b.example")
        url = order.fields["Location"]
        self.assertEqual((order.status, order.body["status"]), (201, "pending"))
        self.prove(order)
        ready: Any = self.ask(url).body
        self.assertEqual(ready["status"], "ready")
        valid: Any = self.ask(ready["finalize"], self.csr("b.example", "a.example")).body
        self.assertEqual(valid["status"], "valid")
        chain = self.ask(valid["certificate"])
        assert isinstance(chain.body, bytes)
        self.assertEqual(describe(chain.body).names, ("a.example", "b.example"))
        self.assertEqual(chain.fields["Content-Type"], "application/pem-certificate-chain")

    def test_registering(self) -> None:
        """
        A key has one account; the terms are to be agreed to; addresses are to
        be addresses.
        """
        self.assertEqual(self.register(self.pem), self.account)
        self.assertEqual(self.registry.accountCount, 1)

        def registering(**said: Any) -> str:
            request = SignedRequest(said, self.key(newKey()), None)
            return self.assertRaises(Refused, self.registry.answer, "/account", request).word

        self.assertEqual(registering(), "userActionRequired")
        self.assertEqual(registering(onlyReturnExisting=True), "accountDoesNotExist")
        for contact, word in (
            (["tel:1"], "unsupportedContact"),
            (["mailto:nobody"], "invalidContact"),
            ("mailto:a@b.example", "invalidContact"),
            ([7], "unsupportedContact"),
        ):
            self.assertEqual(registering(termsOfServiceAgreed=True, contact=contact), word)

    def test_whoSigns(self) -> None:
        """
        Registering is signed by the key, all else as the account.
        """
        self.refused("malformed", "/account", {"termsOfServiceAgreed": True})
        request = SignedRequest({}, self.key(self.pem), None)
        self.assertRaises(Refused, self.registry.answer, "/order", request)

    def test_deactivated(self) -> None:
        """
        A deactivated account is good for nothing.
        """
        self.ask(self.account, {"status": "deactivated"})
        self.assertRaises(Refused, self.registry.keyOf, self.account)
        self.assertRaises(Refused, self.register, self.pem)

    def test_givenUp(self) -> None:
        """
        An authorization that is given up is looked at no more, and its order
        is invalid, and on the account's list no longer.
        """
        order = self.order("a.example")
        [url] = order.body["authorizations"]
        shown: Any = self.ask(url).body
        self.ask(shown["challenges"][0]["url"], {})
        given: Any = self.ask(url, {"status": "deactivated"}).body
        self.assertEqual(given["status"], "deactivated")
        self.clock.advance(0)
        self.assertEqual(self.validator.looked, [])
        self.assertEqual(self.ask(order.fields["Location"]).body["status"], "invalid")  # type: ignore[index,call-overload]
        other = self.order("b.example").fields["Location"]
        self.assertEqual(self.ask(f"{self.account}/orders").body, {"orders": [other]})
        self.refused("malformed", f"{self.account}/orders", {})

    def test_anothers(self) -> None:
        """
        What belongs to one account is not shown to another.
        """
        order = self.order("a.example")
        other = self.register(newKey())
        for url in (
            order.fields["Location"], order.body["authorizations"][0], order.body["finalize"],
            self.ask(order.body["authorizations"][0]).body["challenges"][0]["url"],  # type: ignore[index,call-overload]
        ):  # fmt: skip
            self.refused("unauthorized", url, None, other)
        self.refused("malformed", self.account, None, other)

    def test_names(self) -> None:
        """
        What cannot be in a certificate is rejected.
        """
        for name in ("a_b.example", "A.example", "", "a..example", "*.*.example", "a" * 64, "a.example."):
            identifiers = [{"type": "dns", "value": name}]
            self.refused("rejectedIdentifier", "/order", {"identifiers": identifiers})
        for kind, name in (("dns", "127.0.0.1"), ("ip", "a.example"), ("ip", "127.1"), ("ip", "::0001")):
            identifiers = [{"type": kind, "value": name}]
            self.refused("rejectedIdentifier", "/order", {"identifiers": identifiers})
        self.refused("unsupportedIdentifier", "/order", {"identifiers": [{"type": "email", "value": "a"}]})
        for identifiers in (None, [], [7], [{"type": "dns", "value": "a.example"}] * 1001):
            self.refused("malformed", "/order", {"identifiers": identifiers})
        self.refused("malformed", "/order", 7)
        self.assertEqual(self.registry.orderCount, 0)
        self.order("::1", kind="ip")
        self.order("xn--bcher-kva.example", "*.a.example")

    def test_tooMany(self) -> None:
        """
        There is a largest number of names, and none beside a wildcard that covers it.
        """
        self.order(*(f"a{number}.example" for number in range(100)))
        many = [{"type": "dns", "value": f"a{number}.example"} for number in range(101)]
        why = self.refused("malformed", "/order", {"identifiers": many})
        self.assertEqual(why.detail, "Order cannot contain more than 100 identifiers")
        self.registry.mostNames = 2
        self.assertIn("more than 2 ", self.refused("malformed", "/order", {"identifiers": many[:3]}).detail)
        both = [{"type": "dns", "value": each} for each in ("*.a.example", "b.a.example")]
        self.assertIn("redundant", self.refused("malformed", "/order", {"identifiers": both}).detail)
        self.order("*.a.example", "a.example")

    def test_refusedProof(self) -> None:
        """
        A proof that is not there makes the order invalid, with the reason.
        """
        self.validator.outcome = Refused(400, "connection", "nobody there")
        order = self.order("a.example")
        self.prove(order)
        shown: Any = self.ask(order.fields["Location"]).body
        self.assertEqual(shown["status"], "invalid")
        self.assertEqual(shown["error"]["identifier"], {"type": "dns", "value": "a.example"})
        authorization: Any = self.ask(order.body["authorizations"][0]).body
        [challenge] = authorization["challenges"]
        self.assertEqual(challenge["error"]["type"], "urn:ietf:params:acme:error:connection")
        self.assertEqual((self.registry.validationCount, self.registry.invalidCount), (1, 1))
        self.refused("malformed", challenge["url"], {})
        self.refused("orderNotReady", order.body["finalize"], self.csr("a.example"))

    def test_wildcard(self) -> None:
        """
        A wildcard is to be proved by DNS alone.
        """
        order = self.order("*.a.example")
        shown: Any = self.ask(order.body["authorizations"][0]).body
        self.assertEqual((shown["wildcard"], shown["identifier"]["value"]), (True, "a.example"))
        self.assertEqual([each["type"] for each in shown["challenges"]], ["dns-01"])
        self.prove(order)
        self.assertEqual(self.validator.looked, [("dns-01", "a.example")])
        self.assertEqual(self.ask(order.fields["Location"]).body["status"], "ready")  # type: ignore[index,call-overload]

    def test_lookedAtOnce(self) -> None:
        """
        A challenge that is told of twice is looked at once.
        """
        order = self.order("a.example")
        shown: Any = self.ask(order.body["authorizations"][0]).body
        for _ in range(2):
            self.ask(shown["challenges"][1]["url"], {})
        self.clock.advance(0)
        self.assertEqual(self.validator.looked, [("tls-alpn-01", "a.example")])

    def test_badRequests(self) -> None:
        """
        A certificate is given for just the names of the order, and never for
        the account's own key.
        """
        order = self.order("a.example", "b.example")
        finalize = order.body["finalize"]
        self.refused("orderNotReady", finalize, self.csr("a.example", "b.example"))
        self.prove(order)
        for payload in (
            self.csr("a.example"),
            self.csr("a.example", "b.example", "c.example"),
            {"csr": "AAAA"},
            {},
        ):
            self.refused("badCSR", finalize, payload)
        self.refused("badPublicKey", finalize, self.csr("a.example", "b.example", key=self.pem))
        self.refused("malformed", finalize)
        self.assertEqual(self.registry.issuedCount, 0)
        self.ask(finalize, self.csr("a.example", "b.example"))
        self.refused("orderNotReady", finalize, self.csr("a.example", "b.example"))

    def test_slow(self) -> None:
        """
        One that takes its time says so, and how long to wait.
        """
        self.registry = self.open(validationDelay=3.0, issueDelay=2.0, retryAfter=4)
        self.account = self.register(self.pem)
        order = self.order("a.example")
        self.prove(order)
        pending = self.ask(order.body["authorizations"][0])
        self.assertEqual(pending.fields["Retry-After"], "4")
        self.clock.advance(3)
        self.assertNotIn("Retry-After", self.ask(order.body["authorizations"][0]).fields)
        processing = self.ask(order.body["finalize"], self.csr("a.example"))
        self.assertEqual(processing.body["status"], "processing")  # type: ignore[index,call-overload]
        self.assertEqual(processing.fields["Retry-After"], "4")
        self.refused("malformed", order.fields["Location"] + "/certificate")
        self.clock.advance(2)
        self.assertEqual(self.ask(order.fields["Location"]).body["status"], "valid")  # type: ignore[index,call-overload]

    def test_onlyRead(self) -> None:
        """
        What is only to be read takes no payload.
        """
        order = self.order("a.example")
        self.refused("malformed", order.fields["Location"], {})
        self.refused("malformed", order.body["authorizations"][0], {})
        self.refused("malformed", "/nothing/here")
        self.assertEqual(self.ask(f"{self.account}/orders").body, {"orders": [order.fields["Location"]]})

    def test_tokens(self) -> None:
        """
        Tokens differ, and are of enough chance (RFC 8555 section 8.3).
        """
        tokens = set()
        for number in range(4):
            shown: Any = self.ask(self.order(f"{number}.example").body["authorizations"][0]).body
            tokens |= {each["token"] for each in shown["challenges"]}
        self.assertEqual(len(tokens), 12)
        self.assertTrue(all(len(decoded(token)) >= 16 for token in tokens))

    def test_stop(self) -> None:
        """
        Stopping it ends what it had begun.
        """
        self.registry = self.open(validationDelay=3.0)
        self.account = self.register(self.pem)
        self.prove(self.order("a.example"))
        self.successResultOf(self.registry.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
