"""
Tests for what somebody asks of a certificate by hand, that it be renewed or revoked:
L{smartproxy_tw.service.automatic}, L{smartproxy_tw.service.revoking} and
L{smartproxy_tw.service.certificates}.
"""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import Limit, Limits
from smartproxy_tw.acme.entry import Entry
from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUndecided, AuthorityUnreachable, Problem
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.acme.reasons import REASONS
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Acme, CertificateSource, Files, Internal
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.authorities import Asked
from smartproxy_tw.service.certificates import Certificates
from smartproxy_tw.service.errors import NotNow, NotPossible
from smartproxy_tw.service.events import CertificateEvent, Events
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.status import CertificateStatus
from smartproxy_tw.service.storage import Storage
from smartproxy_tw.store.certificates import Credentials
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

from .configurations import BLOG, SHOP, configuration

NOW, MINUTE, HOUR, DAY = 1_800_000_000, 60.0, 3600.0, 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)
CA, OTHER = "https://ca.example/", "https://other.example/"


def problem(word: str, status: int = 403, retryAfter: float | None = None) -> AuthorityProblem:
    """
    What an authority says.
    """
    said = Problem(f"urn:ietf:params:acme:error:{word}", "no", status)
    return AuthorityProblem("revoking a certificate", said, retryAfter=retryAfter)


class DemandCase(SynchronousTestCase):
    """
    Certificates, and somebody who wants something of them.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.other = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.path = os.path.abspath(self.mktemp())
        self.gate: Deferred[None] = succeed(None)
        self.events = Events()
        self.told: list[CertificateEvent] = []
        self.events.observe(self.told.append)
        self.storage: Storage | None = None
        self.isFull = False

    def run_(self, function: Any, *arguments: Any) -> Deferred[Any]:
        """
        The disk.
        """
        if self.isFull:
            return fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return maybeDeferred(function, *arguments)

    def begin(
        self,
        *sources: CertificateSource,
        keyType: Any = "ecdsa",
        hasFallback: bool = False,
        **parts: Any,
    ) -> Certificates:
        """
        A start; what ran before has ended.
        """
        if self.storage is not None:
            self.storage.close()
        hasTwins = keyType == "both"
        fallbacks = [OTHER] if hasFallback else []
        self.storage = storage = Storage(
            self.path, CA, self.clock.seconds, self.run_, fallbacks=fallbacks, hasTwins=hasTwins
        )
        storage.open()
        self.addCleanup(storage.close)
        config = replace(configuration(self.path, *sources), acme=Acme(directory=CA, keyType=keyType))
        self.journal = Journal(storage.own.orders, CA, NOW)
        certificates = Certificates(
            config,
            self.plane,
            storage,
            [
                Asked(
                    storage.own,
                    self.authority.obtain,
                    lambda: succeed(None),
                    Memory(storage.own.attempts, storage.own.uses, maybeDeferred),
                    self.authority.probe,
                    self.authority.advise,
                    self.journal,
                    revoke=parts.pop("revoke", self.authority.revoke),
                ),
                *(
                    Asked(
                        shelf,
                        self.other.obtain,
                        lambda: succeed(None),
                        Memory(shelf.attempts, shelf.uses, maybeDeferred),
                        self.other.probe,
                        revoke=self.other.revoke,
                    )
                    for shelf in storage.fallbacks
                ),
            ],
            self.clock,
            gate=lambda: self.gate,
            chance=Random(0),
            events=self.events,
            **parts,
        )
        self.addCleanup(certificates.stop)
        self.successResultOf(certificates.load())
        certificates.provisionAll()
        return certificates

    def end(self, certificates: Certificates) -> None:
        """
        The process ends, and what clients saw of it.
        """
        self.successResultOf(certificates.stop())
        self.plane.installed.clear()

    def statusOf(self, certificates: Certificates, key: str = SHOP.key) -> CertificateStatus:
        """
        How it stands.
        """
        return next(each for each in certificates.status() if each.key == key)

    @property
    def served(self) -> Credential:
        """
        What a client would see.
        """
        return self.plane.installed[SHOP.key]

    @property
    def orders(self) -> int:
        """
        How many the authority has had.
        """
        return self.authority.orders[SHOP.names]


class RenewTests(DemandCase):
    """
    Renewals that somebody asks for.
    """

    def test_now(self) -> None:
        """
        A certificate that is far from due has its successor at once, by one order
        that says what it replaces; then the usual time counts again.
        """
        certificates = self.begin(SHOP)
        first = self.served
        self.clock.advance(DAY)
        self.assertTrue(certificates.renew(SHOP.key))
        self.assertEqual((self.orders, self.authority.replaced), (2, [first.chain]))
        self.assertNotEqual(self.served.key, first.key)
        status = self.statusOf(certificates)
        self.assertEqual((status.state, status.orders), ("valid", 2))
        self.assertEqual(status.serial, describe(self.served.chain).serial)
        assert status.nextAttempt is not None
        self.assertGreater(status.nextAttempt, NOW + 50 * DAY)
        self.assertEqual([each.kind for each in self.told], ["issued", "renewed"])
        self.clock.pump([DAY] * 20)
        self.assertEqual(self.orders, 2)

    def test_underWay(self) -> None:
        """
        While an order is under way no second one is placed.
        """
        self.authority.thinks()
        certificates = self.begin(SHOP)
        self.assertFalse(certificates.renew(SHOP.key, force=True))
        self.authority.decides()
        self.assertEqual(self.orders, 1)

    def test_notBeforeTheGate(self) -> None:
        """
        Before every port is served nothing is ordered, whoever wants it; and nothing
        after the end.
        """
        self.gate = Deferred()
        certificates = self.begin(SHOP)
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
        self.assertEqual((why.code, self.orders), ("starting", 0))
        self.failureResultOf(certificates.revoke(SHOP.key), NotNow)
        self.gate.callback(None)
        self.assertEqual(self.orders, 1)
        self.successResultOf(certificates.stop())
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
        self.assertEqual((why.code, self.orders), ("stopping", 1))

    def test_afterFailure(self) -> None:
        """
        After an order that failed the next one waits, which is told; with force it
        does not.
        """
        self.authority.refuses(problem("unauthorized"))
        certificates = self.begin(SHOP)
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key)
        self.assertEqual((why.code, self.orders), ("failed", 1))
        assert why.until is not None
        self.assertGreater(why.until, NOW)
        self.assertIn("no (unauthorized)", str(why))
        self.assertTrue(certificates.renew(SHOP.key, force=True))
        self.assertEqual((self.orders, self.statusOf(certificates).failures), (2, 2))
        self.authority.agrees()
        self.assertTrue(certificates.renew(SHOP.key, force=True))
        self.assertEqual((self.orders, self.statusOf(certificates).state), (3, "valid"))

    def test_asTheAuthorityAsked(self) -> None:
        """
        What an authority asked for is waited for, with force too, also by the next
        process.
        """
        self.authority.refuses(problem("serverInternal", 500, retryAfter=2 * HOUR))
        certificates = self.begin(SHOP)
        for _ in range(2):
            why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
            self.assertEqual((why.code, why.until, self.orders), ("held", NOW + 2 * HOUR, 1))
            self.end(certificates)
            certificates = self.begin(SHOP)
        self.authority.agrees()
        self.clock.advance(2 * HOUR)
        self.assertEqual((self.orders, self.statusOf(certificates).state), (2, "valid"))

    def test_tooMany(self) -> None:
        """
        Likewise where there were too many orders, and for certificates that had none
        of them.
        """
        certificates = self.begin(SHOP, BLOG)
        refusal = AuthorityProblem(
            "ordering",
            Problem("urn:ietf:params:acme:error:rateLimited", "too many new orders", 429),
            retryAfter=HOUR,
        )
        self.authority.refuses(refusal)
        self.assertTrue(certificates.renew(BLOG.key))
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
        self.assertEqual((why.code, why.until, self.orders), ("held", NOW + HOUR, 1))
        self.assertIn("too many new orders", str(why))
        self.authority.agrees()
        self.clock.advance(HOUR + 1)
        self.assertTrue(certificates.renew(SHOP.key))
        self.assertEqual(self.orders, 2)

    def test_ofTheBudget(self) -> None:
        """
        What an authority allows is kept to: an order that it would refuse is not
        placed, and the certificate stays as it stands.
        """
        certificates = self.begin(SHOP)
        limits = Limits(perSet=Limit(1, DAY, "1 certificate a day"))
        certificates._authorities._admissions[0]._budget._limits = limits
        self.assertTrue(certificates.renew(SHOP.key))
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
        self.assertEqual((why.code, self.orders), ("held", 2))
        self.assertIn("1 certificate a day", str(why))
        self.assertEqual(self.statusOf(certificates).state, "valid")

    def test_away(self) -> None:
        """
        An authority that is away is told; the order that found out is placed again
        when it is back, though the certificate is not due.
        """
        certificates = self.begin(SHOP)
        self.authority.refuses(AuthorityUnreachable(CA, "refused"))
        self.assertTrue(certificates.renew(SHOP.key))
        self.assertIn("refused", self.statusOf(certificates).problem or "")
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key, force=True)
        self.assertEqual(why.code, "away")
        assert why.until is not None
        self.assertGreater(why.until, NOW)
        before = self.orders
        self.authority.agrees()
        self.clock.pump([1.0] * 10)
        self.assertEqual((self.orders, self.statusOf(certificates).state), (before + 1, "valid"))

    def test_awayForAnother(self) -> None:
        """
        Also where another certificate has found out.
        """
        certificates = self.begin(SHOP, BLOG)
        self.authority.refuses(AuthorityUnreachable(CA, "refused"))
        certificates.renew(BLOG.key)
        why = self.assertRaises(NotNow, certificates.renew, SHOP.key)
        self.assertEqual((why.code, self.orders), ("away", 1))
        self.assertEqual(self.statusOf(certificates).state, "valid")

    def test_failsAndIsForgotten(self) -> None:
        """
        A renewal that fails is tried again by the usual rules; the next process does
        not want it any more, and says at the first occasion that nothing is amiss.
        """
        certificates = self.begin(SHOP)
        self.authority.refuses(problem("unauthorized"))
        certificates.renew(SHOP.key)
        self.clock.pump([MINUTE] * 30)
        tried = self.orders
        self.assertGreater(tried, 2)
        self.end(certificates)
        certificates = self.begin(SHOP)
        self.clock.pump([HOUR] * 48)
        status = self.statusOf(certificates)
        self.assertEqual((self.orders, status.state, status.problem), (tried, "valid", None))

    def test_both(self) -> None:
        """
        Where there are two certificates for the same names each is renewed by
        itself.
        """
        certificates = self.begin(SHOP, keyType="both")
        self.assertEqual(certificates.find("shop.example"), (SHOP.key, "rsa:shop.example"))
        self.assertTrue(certificates.renew("rsa:shop.example"))
        self.assertEqual((self.orders, self.authority.twins[SHOP.names]), (3, 2))

    def test_find(self) -> None:
        """
        A certificate is meant by its identity, by a name as people write it, or by a
        name that its wildcard covers.
        """
        certificates = self.begin(SHOP, BLOG, Internal(("*.inside.example", "shop.example")))
        internal = "internal:*.inside.example,shop.example"
        for name, keys in (
            ("Shop.Example.", (SHOP.key, internal)),
            ("www.blog.example", (BLOG.key,)),
            (BLOG.key, (BLOG.key,)),
            ("a.inside.example", (internal,)),
            ("else.example", ()),
        ):
            self.assertEqual(certificates.find(name), keys, name)
        self.assertRaises(ValueError, certificates.find, "https://shop.example/")
        self.assertEqual(tuple(certificates.renewable), (SHOP.key, BLOG.key))
        self.assertRaises(NotPossible, certificates.renew, internal)
        self.failureResultOf(certificates.revoke(internal), NotPossible)
        self.assertRaises(NotPossible, certificates.renew, Files("/a", "/b").key)


class RevokeTests(DemandCase):
    """
    Revocations.
    """

    def test_replacedAtOnce(self) -> None:
        """
        The authority is told the reason, then another certificate with another key
        is ordered, served and saved; until it is served the old one is.
        """
        certificates = self.begin(SHOP)
        first = self.served
        self.authority.thinks()
        revocation = self.successResultOf(certificates.revoke(SHOP.key, "superseded"))
        self.assertEqual(
            (revocation.outcome, revocation.serial, revocation.problem),
            ("revoked", describe(first.chain).serial, None),
        )
        self.assertEqual(self.authority.revoked, [(first, REASONS["superseded"], False)])
        status = self.statusOf(certificates)
        self.assertEqual((status.isRevoked, status.state, self.served), (True, "ordering", first))
        self.authority.decides()
        status = self.statusOf(certificates)
        self.assertEqual((status.isRevoked, status.state, self.orders), (False, "valid", 2))
        self.assertNotEqual(self.served.key, first.key)
        self.assertEqual([each.kind for each in self.told], ["issued", "revoked", "renewed"])
        kept = self.served
        self.end(certificates)
        certificates = self.begin(SHOP)
        self.assertEqual((self.served, self.orders), (kept, 2))

    def test_keyCompromise(self) -> None:
        """
        For a key that others know the key itself asks; no other reason does.
        """
        certificates = self.begin(SHOP)
        for reason, number in REASONS.items():
            before = self.served
            self.successResultOf(certificates.revoke(SHOP.key, reason))
            self.assertEqual(self.authority.revoked[-1], (before, number, reason == "keyCompromise"))
            self.assertNotEqual(self.served.key, before.key)
        self.assertRaises(ValueError, certificates.revoke, SHOP.key, "cACompromise")

    def test_notBroughtBack(self) -> None:
        """
        A process that ends before there is a successor leaves the certificate in the
        store, and the next one does not serve it.
        """
        certificates = self.begin(SHOP)
        first = self.served
        self.authority.refuses(problem("unauthorized"))
        self.successResultOf(certificates.revoke(SHOP.key))
        status = self.statusOf(certificates)
        self.assertEqual((status.state, status.isRevoked, self.served), ("revoked", True, first))
        self.assertIn("unauthorized", status.problem or "")
        self.end(certificates)
        certificates = self.begin(SHOP)
        self.assertNotEqual(self.served.chain, first.chain)
        self.assertIsNone(self.statusOf(certificates).expires)
        self.authority.agrees()
        self.clock.pump([MINUTE] * 30)
        self.assertEqual(self.statusOf(certificates).state, "valid")

    def test_unsaved(self) -> None:
        """
        One that could not be saved yet is not saved any more, and its order, which
        the next process would take up, is forgotten.
        """
        certificates = self.begin(SHOP)
        first = self.served
        assert self.storage is not None
        self.successResultOf(self.journal.begin(Entry(CA, SHOP.names, first.key, NOW)))
        self.authority.thinks()
        self.successResultOf(certificates.revoke(SHOP.key))
        self.assertEqual(self.journal.entries, ())
        self.assertEqual(self.successResultOf(self.storage.own.orders.load()), [])

    def test_fullDisk(self) -> None:
        """
        A full disk keeps nobody from revoking; the outcome says what is wrong.
        """
        certificates = self.begin(SHOP)
        self.isFull = True
        revocation = self.successResultOf(certificates.revoke(SHOP.key, "keyCompromise"))
        self.assertIn("No space left", revocation.problem or "")
        self.assertEqual((len(self.authority.revoked), self.orders), (1, 2))
        self.assertEqual(self.statusOf(certificates).state, "unsaved")
        self.isFull = False
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.statusOf(certificates).state, "valid")

    def test_refused(self) -> None:
        """
        One that the authority does not revoke stays as it is, for the next process
        too.
        """
        certificates = self.begin(SHOP)
        first = self.served
        self.authority.refusesRevoking(problem("badRevocationReason", 400))
        self.failureResultOf(certificates.revoke(SHOP.key), AuthorityProblem)
        self.assertEqual((self.served, self.statusOf(certificates).isRevoked, self.orders), (first, False, 1))
        self.end(certificates)
        self.begin(SHOP)
        self.assertEqual((self.served, self.orders), (first, 1))

    def test_away(self) -> None:
        """
        Nor does one by an authority that cannot be reached, which is told.
        """
        certificates = self.begin(SHOP)
        self.authority.refusesRevoking(AuthorityUnreachable(CA, "refused"))
        self.failureResultOf(certificates.revoke(SHOP.key), AuthorityUnreachable)
        self.assertEqual((self.statusOf(certificates).isRevoked, self.orders), (False, 1))

    def test_neverAnswers(self) -> None:
        """
        One that never comes to an end is not waited for without end.
        """
        certificates = self.begin(SHOP, revoke=lambda *_, **__: Deferred())
        revoked = certificates.revoke(SHOP.key)
        self.clock.advance(99)
        self.assertNoResult(revoked)
        self.clock.advance(1)
        self.failureResultOf(revoked, AuthorityUndecided)

    def test_givenUp(self) -> None:
        """
        When it is given up in between nobody knows whether it was heard: the next
        process does not serve the certificate.
        """
        certificates = self.begin(SHOP, revoke=lambda *_, **__: Deferred())
        first = self.served
        revoked = certificates.revoke(SHOP.key)
        revoked.cancel()
        self.failureResultOf(revoked, CancelledError)
        self.end(certificates)
        self.begin(SHOP)
        self.assertNotEqual(self.served.chain, first.chain)
        self.assertEqual(self.orders, 2)

    def test_strangersAccount(self) -> None:
        """
        A certificate of another account, as an imported one may be, is revoked by its
        own key.
        """
        for word in ("unauthorized", "accountDoesNotExist"):
            self.authority.refusesRevoking(problem(word))
            certificates = self.begin(SHOP)
            first = self.served
            self.successResultOf(certificates.revoke(SHOP.key, "superseded"))
            self.assertEqual(self.authority.revoked.pop(), (first, REASONS["superseded"], True))
            self.end(certificates)

    def test_already(self) -> None:
        """
        One that somebody has revoked before is replaced likewise.
        """
        certificates = self.begin(SHOP)
        self.authority.refusesRevoking(problem("alreadyRevoked", 400))
        revocation = self.successResultOf(certificates.revoke(SHOP.key))
        self.assertEqual((revocation.outcome, self.orders), ("already", 2))

    def test_afterFailure(self) -> None:
        """
        The successor is ordered at once though the last order failed; only what the
        authority asked for is waited for.
        """
        certificates = self.begin(SHOP)
        self.authority.refuses(problem("caa"))
        certificates.renew(SHOP.key)
        self.authority.agrees()
        self.successResultOf(certificates.revoke(SHOP.key))
        self.assertEqual((self.orders, self.statusOf(certificates).state), (3, "valid"))
        self.authority.refuses(problem("serverInternal", 500, retryAfter=HOUR))
        certificates.renew(SHOP.key)
        self.authority.agrees()
        self.successResultOf(certificates.revoke(SHOP.key))
        status = self.statusOf(certificates)
        self.assertEqual((self.orders, status.state, status.nextAttempt), (4, "revoked", NOW + HOUR))
        self.clock.advance(HOUR)
        self.assertEqual((self.orders, self.statusOf(certificates).state), (5, "valid"))

    def test_orderUnderWay(self) -> None:
        """
        An order that is under way when it is revoked is the one for its successor.
        """
        certificates = self.begin(SHOP)
        self.authority.thinks()
        certificates.renew(SHOP.key)
        self.successResultOf(certificates.revoke(SHOP.key))
        self.authority.decides()
        self.assertEqual((self.orders, self.statusOf(certificates).isRevoked), (2, False))

    def test_renewedMeanwhile(self) -> None:
        """
        If the successor is served before the authority has answered, there is no
        other order.
        """
        answer: Deferred[None] = Deferred()
        certificates = self.begin(SHOP, revoke=lambda *_, **__: answer)
        revoked = certificates.revoke(SHOP.key)
        certificates.renew(SHOP.key)
        answer.callback(None)
        self.successResultOf(revoked)
        self.assertEqual((self.orders, self.statusOf(certificates).state), (2, "valid"))

    def test_fallback(self) -> None:
        """
        Whoever issued it is asked, and nobody else; and the note is kept with what
        that one issued.
        """
        self.authority.refuses(problem("rejectedIdentifier"))
        certificates = self.begin(SHOP, hasFallback=True)
        first = self.served
        self.assertEqual(self.statusOf(certificates).authority, OTHER)
        self.other.refuses(problem("unauthorized"))
        self.successResultOf(certificates.revoke(SHOP.key, "superseded"))
        self.assertEqual((self.authority.revoked, len(self.other.revoked)), ([], 1))
        self.end(certificates)
        self.begin(SHOP, hasFallback=True)
        self.assertNotEqual(self.served.chain, first.chain)

    def test_both(self) -> None:
        """
        Of two certificates for the same names one is revoked and replaced by itself.
        """
        certificates = self.begin(SHOP, keyType="both")
        twin, first = self.plane.installed["rsa:shop.example"], self.served
        self.successResultOf(certificates.revoke("rsa:shop.example", "superseded"))
        self.assertEqual([each[0] for each in self.authority.revoked], [twin])
        self.assertNotEqual(self.plane.installed["rsa:shop.example"].chain, twin.chain)
        self.assertEqual(self.served, first)
        self.assertEqual(self.authority.twins[SHOP.names], 2)

    def test_olderOneCounts(self) -> None:
        """
        When the newest in the stores is revoked, one by another authority that is
        still good is served at the next start.
        """
        certificates = self.begin(SHOP, hasFallback=True)
        assert self.storage is not None
        older = SIGNER.issue(SHOP.names, lifetime=80 * DAY, now=NOW - DAY)
        fallback = Credentials(self.storage.fallbacks[0].certificates)
        self.successResultOf(fallback.save(older))
        self.authority.refuses(problem("unauthorized"))
        self.successResultOf(certificates.revoke(SHOP.key))
        self.end(certificates)
        self.begin(SHOP, hasFallback=True)
        self.assertEqual(self.served.chain, older.chain)

    def test_nothingToRevoke(self) -> None:
        """
        Where something self-signed is served there is nothing to revoke, and where
        nobody can be asked nobody is.
        """
        self.authority.refuses(problem("unauthorized"))
        certificates = self.begin(SHOP)
        self.failureResultOf(certificates.revoke(SHOP.key), NotPossible)
        self.end(certificates)
        self.authority.agrees()
        certificates = self.begin(BLOG, revoke=None)
        why = self.failureResultOf(certificates.revoke(BLOG.key), NotPossible)
        self.assertIn("nobody", str(why.value))
