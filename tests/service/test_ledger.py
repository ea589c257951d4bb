"""
Tests for L{smartproxy_tw.service.ledger}: two authorities, the second of which is asked when
the first gives none.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.entry import Answer, Entry
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import Auto
from smartproxy_tw.facts import HTTP01, Credential, Evidence
from smartproxy_tw.service.ledger import Ledger
from smartproxy_tw.store.directory import SecureDirectory, StateError
from smartproxy_tw.store.memory import MemoryCertificates
from smartproxy_tw.store.revocations import Revocations

NOW = 1_800_000_000.0
DAY = 86400.0
SIGNER = Signer.create("Test root", now=NOW - 90 * DAY)
SHOP = Auto(("shop.example",)).key


def issue(*names: str, age: float = 0.0) -> Credential:
    """
    A certificate that was issued so many days ago.
    """
    return SIGNER.issue(names, lifetime=90 * DAY, now=NOW - age * DAY)


class Presenting:
    """
    What is presented, by token.
    """

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.isUnusable = False

    def recall(self, evidence: Evidence) -> Deferred[None]:
        """See L{Presenter<smartproxy_tw.service.presenting.Presenter>}."""
        if self.isUnusable:
            return fail(ValueError("it is of another configuration"))
        assert isinstance(evidence, HTTP01)
        self.tokens.append(evidence.token)
        return succeed(None)

    def withdraw(self, evidence: Evidence) -> Deferred[None]:
        """Likewise."""
        assert isinstance(evidence, HTTP01)
        self.tokens.remove(evidence.token)
        return succeed(None)


class LedgerTests(SynchronousTestCase):
    """
    What is kept.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.stores = [MemoryCertificates(), MemoryCertificates()]
        self.journals = [Journal(None, f"https://{name}.test/", NOW) for name in ("first", "second")]
        self.presenting = Presenting()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.ledger = self.make()

    def make(self, **more: Any) -> Ledger:
        """
        One, of these stores.
        """
        revocations = [Revocations(self.directory, maybeDeferred, self.clock.seconds)]
        presenter: Any = self.presenting
        return Ledger(self.stores, self.journals, presenter, revocations=revocations, **more)

    def done(self, coroutine: Any) -> Any:
        """
        What comes of it at once.
        """
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def keep(self, number: int, credential: Credential) -> None:
        """
        An authority has issued it.
        """
        self.successResultOf(self.ledger.saving(number)(credential))

    def order(self, number: int, key: bytes = b"key", *names: str) -> None:
        """
        One is under way, and its answer is presented.
        """
        names = names or ("shop.example",)
        entry = Entry(f"https://{number}.test/", names, key, NOW, None, None)
        self.successResultOf(self.journals[number].begin(entry))
        answers = tuple(Answer("http-01", name, f"token{number}", f"token{number}.x") for name in names)
        self.successResultOf(self.journals[number].answering(names, answers))

    def test_newest(self) -> None:
        """
        Of all authorities the newest is there, and whose it is.
        """
        old, new, other = issue("shop.example", age=20), issue("shop.example", age=2), issue("b.example")
        self.keep(0, old)
        self.keep(1, new)
        self.keep(0, other)
        stock = self.done(self.make().stored())
        self.assertEqual((stock.get(SHOP), stock.issuerOf(new)), (new, 1))
        self.assertEqual(stock.issuerOf(other), 0)

    def test_olderFallback(self) -> None:
        """
        An older one of a fallback does not take the place of the first one's.
        """
        new = issue("shop.example", age=2)
        self.keep(0, new)
        self.keep(1, issue("shop.example", age=20))
        stock = self.done(self.make().stored())
        self.assertEqual((stock.get(SHOP), stock.issuerOf(new)), (new, 0))

    def test_readOnce(self) -> None:
        """
        Stores are read once; what comes later is known without that.
        """
        stock = self.done(self.ledger.stored())
        self.assertIsNone(stock.get(SHOP))
        found = issue("shop.example")
        self.keep(1, found)
        self.assertIs(self.done(self.ledger.stored()), stock)
        self.assertEqual((stock.get(SHOP), stock.issuerOf(found)), (found, 1))

    def test_twin(self) -> None:
        """
        A ledger of second certificates knows them by their own identities.
        """
        self.ledger = self.make(isRSA=True)
        stock = self.done(self.ledger.stored())
        found = issue("shop.example")
        self.keep(0, found)
        self.assertIsNone(stock.get(SHOP))
        self.assertEqual(stock.get(Auto(("shop.example",), isTwin=True).key), found)

    def test_unreadable(self) -> None:
        """
        A store that cannot be read is the operator's to mend.
        """
        store: Any = self.stores[1]
        store.as_dict = lambda: fail(OSError(errno.EIO, os.strerror(errno.EIO)))
        reading = Deferred.fromCoroutine(self.ledger.stored())
        self.assertIn("cannot be read", str(self.failureResultOf(reading, StateError).value))

    def test_revoked(self) -> None:
        """
        What is revoked is served no more, not by the next process either; and again, when the
        authority has not done it after all.
        """
        found = issue("shop.example")
        self.keep(0, found)
        stock = self.done(self.ledger.stored())
        disown = self.ledger.disowning(0)
        self.successResultOf(disown(found.chain, found.key, True))
        self.assertIsNone(stock.get(SHOP))
        self.assertIsNone(self.done(self.make().stored()).get(SHOP))
        self.successResultOf(disown(found.chain, found.key, False))
        self.assertEqual(self.done(self.make().stored()).get(SHOP), found)

    def test_revokedBeforeItIsKept(self) -> None:
        """
        The order of a certificate that is revoked is gone: it would only give that again.
        """
        found = issue("shop.example")
        self.order(0, found.key)
        self.successResultOf(self.ledger.disowning(0)(found.chain, found.key, True))
        self.assertEqual(self.journals[0].entries, ())

    def test_nowhereToNote(self) -> None:
        """
        Of an authority without a place for it nothing is noted, and that is no error.
        """
        found = issue("shop.example")
        self.successResultOf(self.ledger.disowning(1)(found.chain, found.key, True))
        self.assertEqual(os.listdir(self.directory.path), [])

    def test_kept(self) -> None:
        """
        A certificate ends its order, and those that others were asked for before, with what
        was presented for them.
        """
        found = issue("shop.example")
        self.order(0)
        self.order(1, found.key)
        self.done(self.ledger.answer())
        self.assertEqual(self.presenting.tokens, ["token0", "token1"])
        self.keep(1, found)
        self.assertEqual([each.entries for each in self.journals], [(), ()])
        # Its own was withdrawn by whoever had the authority look.
        self.assertEqual(self.presenting.tokens, ["token1"])

    def test_fullDisk(self) -> None:
        """
        What cannot be written is known all the same, and its order goes on.
        """
        found = issue("shop.example")
        self.order(0, found.key)
        stock = self.done(self.ledger.stored())
        store: Any = self.stores[0]
        store.store = lambda *_: fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        self.failureResultOf(self.ledger.saving(0)(found), OSError)
        self.assertEqual(stock.get(SHOP), found)
        self.assertEqual(len(self.journals[0].entries), 1)

    def test_answeredOnce(self) -> None:
        """
        Answers that an earlier process left behind are presented, once.
        """
        self.order(1)
        self.done(self.ledger.answer())
        self.done(self.ledger.answer())
        self.assertEqual(self.presenting.tokens, ["token1"])

    def test_unusable(self) -> None:
        """
        One that cannot be presented any more is no reason not to start.
        """
        self.order(0)
        self.presenting.isUnusable = True
        self.done(self.ledger.answer())
        self.assertEqual(len(self.journals[0].entries), 1)

    def test_dismissed(self) -> None:
        """
        Orders for what nobody wants any more are forgotten; those for a part of what is
        wanted are not.
        """
        self.order(0, b"key", "a.example", "b.example")
        self.order(1, b"other", "gone.example")
        self.done(self.ledger.answer())
        self.done(self.ledger.dismiss([["a.example", "b.example", "c.example"]]))
        self.assertEqual([len(each.entries) for each in self.journals], [1, 0])
        self.assertEqual(self.presenting.tokens, ["token0", "token0"])
