"""
The verbs beyond an order: what is sent for each, and what its answer means.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

from cryptography import x509
from joserfc import jws
from joserfc.jwk import ECKey
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.acme.client import Client
from smartproxy_tw.acme.errors import AuthorityNonsense, AuthorityProblem
from smartproxy_tw.acme.exchange import Answer
from smartproxy_tw.acme.issuer import Issuer
from smartproxy_tw.acme.jose import AccountKey
from smartproxy_tw.acme.objects import RenewalFacts
from smartproxy_tw.acme.x509 import Signer, leafDER, newKey, renewalID
from smartproxy_tw.config.model import Acme
from smartproxy_tw.testing.authority import Authority

from .loopback import LoopbackPlane
from .suite import Accounts

BASE = "https://ca.example"
ACCOUNT = f"{BASE}/account/1"


class Desk:
    """
    Stands where the authority would: remembers what it was asked, and says
    what the test gave it to say.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.directory: dict[str, Any] = {
            name: f"{BASE}/{name}"
            for name in ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo")
        }
        self.answers: dict[str, Answer] = {}
        self._nonces = 0

    def says(self, url: str, said: Any, status: int = 200, **fields: str) -> None:
        """
        From now on C{url} is answered with this.
        """
        kind = "application/problem+json" if status >= 400 else "application/json"
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self.answers[url] = Answer(status, {"content-type": kind, **named}, json.dumps(said).encode())

    async def ask(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """
        As C{Exchange} has it.
        """
        self._nonces += 1
        nonce = {"replay-nonce": f"nonce{self._nonces}"}
        if url == f"{BASE}/directory":
            return Answer(200, nonce, json.dumps(self.directory).encode())
        self.asked.append((method, url, None if body is None else json.loads(body)))
        answer = self.answers.get(url, Answer(200, {}, b""))
        return Answer(answer.status, {**nonce, **answer.fields}, answer.body)


def part(signed: Any, member: str) -> Any:
    """
    What a part of a JWS says.
    """
    text = signed[member]
    return json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.desk = Desk()
        self.pem = newKey()
        self.clock = Clock()
        self.client = Client(
            self.clock,
            f"{BASE}/directory",
            AccountKey(self.pem),
            account=ACCOUNT,
            exchange=self.desk,  # type: ignore[arg-type]
        )
        self.chain = Signer.create("Somebody").issue(["a.example"], lifetime=3600.0).chain

    def does(self, verb: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(verb))

    def fails(self, verb: Any, kind: type[Exception]) -> Any:
        return self.failureResultOf(Deferred.fromCoroutine(verb), kind).value

    def sent(self) -> tuple[str, Any]:
        """
        Where the last request went, and its JWS.
        """
        _, url, signed = self.desk.asked[-1]
        return url, signed

    def order(self) -> None:
        self.desk.says(
            f"{BASE}/newOrder",
            {
                "status": "pending",
                "identifiers": [{"type": "dns", "value": "a.example"}],
                "authorizations": [f"{BASE}/authorization/1"],
                "finalize": f"{BASE}/finalize/1",
            },
            location=f"{BASE}/order/1",
        )

    def test_revoke(self) -> None:
        """
        The leaf goes out as DER, signed as the account, with the reason.
        """
        self.does(self.client.revoke(self.chain, 4))
        url, signed = self.sent()
        self.assertEqual(url, f"{BASE}/revokeCert")
        self.assertEqual(part(signed, "protected")["kid"], ACCOUNT)
        payload = part(signed, "payload")
        self.assertEqual(payload["reason"], 4)
        der = urlsafe_b64decode(payload["certificate"] + "==")
        self.assertEqual(der, leafDER(self.chain))

    def test_revokeWithoutReason(self) -> None:
        """
        No reason is made up where none is given.
        """
        self.does(self.client.revoke(self.chain))
        self.assertEqual(set(part(self.sent()[1], "payload")), {"certificate"})

    def test_alreadyRevoked(self) -> None:
        """
        The authority's refusal comes back as such.
        """
        said = {"type": "urn:ietf:params:acme:error:alreadyRevoked", "detail": "long ago"}
        self.desk.says(f"{BASE}/revokeCert", said, 400)
        why = self.fails(self.client.revoke(self.chain), AuthorityProblem)
        self.assertEqual(why.problem.word, "alreadyRevoked")
        self.assertIn("revoking a certificate", str(why))

    def test_noRevocationOffered(self) -> None:
        """
        A directory without the verb is named as what is wrong.
        """
        del self.desk.directory["revokeCert"]
        why = self.fails(self.client.revoke(self.chain), AuthorityNonsense)
        self.assertIn("'revokeCert'", str(why))

    def test_changeKey(self) -> None:
        """
        The new key signs the change, the old one what carries it, and the next
        request is signed by the new one (RFC 8555 section 7.3.5).
        """
        old, new = AccountKey(self.pem), newKey()
        self.does(self.client.changeKey(AccountKey(new)))
        url, outer = self.sent()
        self.assertEqual(url, f"{BASE}/keyChange")
        self.assertEqual(part(outer, "protected")["kid"], ACCOUNT)
        jws.deserialize_json(outer, ECKey.import_key(self.pem), registry=_registry)
        inner = part(outer, "payload")
        jws.deserialize_json(inner, ECKey.import_key(new), registry=_registry)
        header = part(inner, "protected")
        self.assertEqual(header["url"], url)
        self.assertEqual(header["jwk"], AccountKey(new).jwk)
        self.assertNotIn("nonce", header)
        self.assertEqual(part(inner, "payload"), {"account": ACCOUNT, "oldKey": old.jwk})
        self.does(self.client.revoke(self.chain))
        jws.deserialize_json(self.sent()[1], ECKey.import_key(new), registry=_registry)

    def test_keyNotChanged(self) -> None:
        """
        After a refusal the old key is still the account's.
        """
        said = {"type": "urn:ietf:params:acme:error:malformed", "detail": "taken"}
        self.desk.says(f"{BASE}/keyChange", said, 409)
        before = self.client.key
        self.fails(self.client.changeKey(AccountKey(newKey())), AuthorityProblem)
        self.assertIs(self.client.key, before)

    def test_deactivate(self) -> None:
        """
        The account is told to end, and nobody goes on using it.
        """
        self.does(self.client.deactivate())
        url, signed = self.sent()
        self.assertEqual((url, part(signed, "payload")), (ACCOUNT, {"status": "deactivated"}))
        self.assertIsNone(self.client.account)

    def test_renewalInfo(self) -> None:
        """
        It is read without a signature, by the certificate's own name.
        """
        url = f"{BASE}/renewalInfo/{renewalID(self.chain)}"
        window = {"start": "1970-01-01T00:01:40Z", "end": "1970-01-01T01:03:20.5+01:00"}
        page = "https://ca.example/why"
        self.desk.says(url, {"suggestedWindow": window, "explanationURL": page}, retry_after="21600")
        found = self.does(self.client.renewalInfo(self.chain))
        self.assertEqual(found, RenewalFacts(100.0, 200.5, page, 21600.0))
        self.assertEqual(self.desk.asked, [("GET", url, None)])

    def test_noRenewalInfo(self) -> None:
        """
        An authority that says nothing of renewal is not asked.
        """
        del self.desk.directory["renewalInfo"]
        self.assertIsNone(self.does(self.client.renewalInfo(self.chain)))
        self.assertEqual(self.desk.asked, [])

    def test_oddWindows(self) -> None:
        """
        A window that ends before it begins, or has no time zone, is nonsense.
        """
        url = f"{BASE}/renewalInfo/{renewalID(self.chain)}"
        good = "2026-01-02T00:00:00Z"
        for window in ({"start": good, "end": good}, {"start": good[:-1], "end": good}, {}, "soon"):
            self.desk.says(url, {"suggestedWindow": window})
            self.fails(self.client.renewalInfo(self.chain), AuthorityNonsense)

    def test_renewalInfoRefused(self) -> None:
        """
        A refusal carries the time to wait.
        """
        url = f"{BASE}/renewalInfo/{renewalID(self.chain)}"
        said = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "enough"}
        self.desk.says(url, said, 429, retry_after="60")
        why = self.fails(self.client.renewalInfo(self.chain), AuthorityProblem)
        self.assertEqual((why.problem.word, why.retryAfter), ("rateLimited", 60.0))

    def test_order(self) -> None:
        """
        An order says nothing of profiles and predecessors unless it has them.
        """
        self.order()
        self.does(self.client.placeOrder(("a.example",)))
        self.assertEqual(set(part(self.sent()[1], "payload")), {"identifiers"})

    def test_orderWithProfile(self) -> None:
        """
        Profile and predecessor are told.
        """
        self.order()
        self.does(self.client.placeOrder(("a.example",), "shortlived", self.chain))
        payload = part(self.sent()[1], "payload")
        self.assertEqual(payload["profile"], "shortlived")
        self.assertEqual(payload["replaces"], renewalID(self.chain))

    def test_replacesNotUnderstood(self) -> None:
        """
        A predecessor is not told to an authority without renewal information.
        """
        del self.desk.directory["renewalInfo"]
        self.order()
        self.does(self.client.placeOrder(("a.example",), replaces=self.chain))
        self.assertNotIn("replaces", part(self.sent()[1], "payload"))

    def test_directoryFacts(self) -> None:
        """
        The directory's optional members are at hand.
        """
        self.desk.directory["meta"] = {
            "profiles": {"classic": "as ever", "shortlived": "six days"},
            "externalAccountRequired": True,
        }
        facts = self.does(self.client.directory())
        self.assertEqual(facts.profiles, ("classic", "shortlived"))
        self.assertEqual(facts.renewalInfo, f"{BASE}/renewalInfo")
        self.assertTrue(facts.externalAccountRequired)

    def test_oddProfiles(self) -> None:
        """
        Profiles that are no object are none.
        """
        self.desk.directory["meta"] = {"profiles": ["classic"]}
        self.assertEqual(self.does(self.client.directory()).profiles, ())

    def test_refresh(self) -> None:
        """
        A directory that is known is read again for who wants to know whether the
        authority is there.
        """
        self.does(self.client.directory())
        del self.desk.directory["newOrder"]
        self.does(self.client.directory())
        self.fails(self.client.refresh(), AuthorityNonsense)

    def test_contact(self) -> None:
        """
        The authority is told where it may write to, and nothing where that is not said.
        """
        self.desk.says(f"{BASE}/newAccount", {"status": "valid"}, 201, location=ACCOUNT)
        for email, contact in (("ops@a.example", ["mailto:ops@a.example"]), (None, None)):
            self.does(self.client.register(email))
            url, signed = self.sent()
            self.assertEqual(url, f"{BASE}/newAccount")
            self.assertEqual(part(signed, "payload").get("contact"), contact)


class AuthorityTests(TestCase):
    """
    The same verbs towards the authority in C{testing}, which is strict.
    """

    timeout = 300

    async def test_lifeOfAnAccount(self) -> None:
        """
        A certificate has its time to be renewed, has a successor, is revoked
        once and then due at once; the key is changed, and the account ends.
        """
        plane = LoopbackPlane(reactor)
        self.addCleanup(plane.close)
        http, tls = plane.listen()
        authority = Authority(reactor, httpPort=http, tlsPort=tls)
        await authority.start()
        self.addCleanup(authority.stop)
        trust = Path(self.mktemp())
        trust.write_bytes(authority.root)
        accounts = Accounts()
        issuer = Issuer(
            reactor,
            Acme(directory=authority.directoryURL, caFile=str(trust)),
            challenges=("http-01",),
            accounts=accounts,  # type: ignore[arg-type]
            plane=plane,  # type: ignore[arg-type]
        )
        self.addCleanup(issuer.close)
        chain = (await issuer.obtain(("a.example",), lambda _: succeed(None))).chain
        account = accounts.kept[authority.directoryURL]
        client = Client(
            reactor,
            authority.directoryURL,
            AccountKey(account.key),
            account=account.url,
            caFile=str(trust),
        )
        self.addCleanup(client.close)
        before = await client.renewalInfo(chain)
        self.assertEqual(await issuer.advise(chain), before)
        await issuer.obtain(("a.example",), lambda _: succeed(None), replaces=chain)
        again = issuer.obtain(("a.example",), lambda _: succeed(None), replaces=chain)
        why = await self.assertFailure(again, AuthorityProblem)
        self.assertEqual(why.problem.word, "alreadyReplaced")
        await client.revoke(chain, 4)
        after = await client.renewalInfo(chain)
        assert before is not None and after is not None
        self.assertLess(after.end, before.start)
        with self.assertRaises(AuthorityProblem) as caught:
            await client.revoke(chain, 4)
        self.assertEqual(caught.exception.problem.word, "alreadyRevoked")
        await client.changeKey(AccountKey(newKey()))
        await client.placeOrder(("b.example",))
        await client.deactivate()
        client.account = account.url
        with self.assertRaises(AuthorityProblem):
            await client.placeOrder(("c.example",))


class RenewalIDTests(SynchronousTestCase):
    def test_highBit(self) -> None:
        """
        The serial number is encoded as DER has it, with the zero that keeps a
        number positive, and without padding (RFC 9773 section 4.1).
        """
        signer = Signer.create("Somebody")
        for _ in range(8):
            chain = signer.issue(["a.example"], lifetime=3600.0).chain
            leaf = x509.load_pem_x509_certificate(chain)
            name = renewalID(chain)
            assert name is not None
            key, serial = (urlsafe_b64decode(each + "==") for each in name.split("."))
            below = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
            self.assertEqual(key, below.key_identifier)
            # The number stands in the certificate just so, tag and length before.
            self.assertIn(b"\x02" + bytes([len(serial)]) + serial, leaf.tbs_certificate_bytes[:40])
            self.assertNotIn("=", name)


_registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
