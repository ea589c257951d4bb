"""
Tests for L{smartproxy_tw.acme.journal}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.entry import OPEN, Answer, Entry
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.facts import HTTP01, TLSALPN01

from .orders import Orders
from .test_entry import ANSWER, ENTRY, KEY

NOW = ENTRY.began + 60
URL = "https://ca.example/order/7"
FRESH = replace(ENTRY, account=None, order=None, answers=())


class JournalTests(SynchronousTestCase):
    """
    The orders under way.
    """

    def setUp(self) -> None:
        self.orders = Orders()

    def journal(self, now: float = NOW, directory: str = ENTRY.directory) -> Journal:
        """
        One that begins, with what is on the disk.
        """
        journal = Journal(self.orders, directory, now)
        self.successResultOf(journal.load())
        return journal

    def test_steps(self) -> None:
        """
        Each step is on the disk when it was noted, and the next start finds it
        by its names in any order.
        """
        journal = self.journal()
        for note, expected in (
            (lambda: journal.begin(FRESH), FRESH),
            (
                lambda: journal.placed(FRESH.names, ENTRY.account, URL),
                replace(FRESH, account=ENTRY.account, order=URL),
            ),
            (
                lambda: journal.answering(FRESH.names, (ANSWER,)),
                replace(ENTRY, order=URL),
            ),
        ):
            self.successResultOf(note())
            self.assertFalse(journal.isInherited(FRESH.names))
            after = self.journal()
            self.assertEqual(after.find(reversed(FRESH.names)), expected)
            self.assertTrue(after.isInherited(FRESH.names))
        self.successResultOf(journal.forget(FRESH.names))
        self.assertEqual((journal.entries, self.journal().entries), ((), ()))

    def test_nothingNew(self) -> None:
        """
        What is known already, or is about no order, is not written.
        """
        journal = self.journal()
        self.successResultOf(journal.begin(ENTRY))
        steps = self.orders.steps
        self.successResultOf(journal.placed(ENTRY.names, ENTRY.account, ENTRY.order or ""))
        self.successResultOf(journal.answering(ENTRY.names, ENTRY.answers))
        self.successResultOf(journal.placed(("other.example",), None, URL))
        self.successResultOf(journal.answering(("other.example",), ()))
        self.successResultOf(journal.forget(("other.example",)))
        self.assertEqual(self.orders.steps, steps)

    def test_ofKey(self) -> None:
        """
        An entry is found by the key of its certificate.
        """
        journal = self.journal()
        other = replace(ENTRY, names=("c.example",), key=KEY.replace(b"AAAA", b"BBBB"))
        self.successResultOf(journal.begin(ENTRY))
        self.successResultOf(journal.begin(other))
        self.assertEqual(journal.ofKey(KEY.rstrip()), ENTRY)
        self.assertEqual(journal.ofKey(other.key), other)
        self.assertIsNone(journal.ofKey(b"another key"))

    def test_done(self) -> None:
        """
        What is served already is not taken up again by the same process, but
        by the next one, and a new order for the same names is.
        """
        journal = self.journal()
        self.successResultOf(journal.begin(ENTRY))
        self.assertEqual(journal.unfinished(ENTRY.names), ENTRY)
        journal.done(ENTRY.names)
        self.assertIsNone(journal.unfinished(ENTRY.names))
        following = self.journal()
        self.successResultOf(following.load())
        self.assertEqual(following.unfinished(ENTRY.names), ENTRY)
        self.successResultOf(journal.begin(ENTRY))
        self.assertEqual(journal.unfinished(ENTRY.names), ENTRY)

    def test_old(self) -> None:
        """
        What is too old is swept away, and what is another authority's is left
        alone.
        """
        self.successResultOf(self.journal().begin(ENTRY))
        self.assertEqual(self.journal(directory="https://other.example/").entries, ())
        self.assertEqual(len(self.orders.kept), 1)
        self.assertEqual(self.journal(now=NOW + OPEN).entries, ())
        self.assertEqual(self.orders.kept, {})

    def test_challenges(self) -> None:
        """
        The answers are had from the entries alone, in either kind; one that
        makes no sense is left out, and said.
        """
        journal = self.journal()
        tls = Answer("tls-alpn-01", "b.example", "u" * 22, "u" * 22 + ".print")
        odd = Answer("smoke-signal-01", "a.example", "u" * 22, "x")
        self.successResultOf(journal.begin(replace(ENTRY, answers=(ANSWER, tls, odd))))
        first, second = self.journal().challenges()
        self.assertEqual(first, HTTP01("a.example", ANSWER.token, ANSWER.keyAuthorization))
        self.assertIsInstance(second, TLSALPN01)
        self.assertEqual(second.name, "b.example")

    def test_fullDisk(self) -> None:
        """
        Without space the notes are at hand all the same, and it is told once.
        """
        journal = self.journal()
        self.orders.isFull = True
        self.successResultOf(journal.begin(FRESH))
        self.successResultOf(journal.placed(FRESH.names, None, URL))
        found = journal.find(FRESH.names)
        self.assertIsInstance(found, Entry)
        self.assertEqual(found and found.order, URL)

    def test_unreadable(self) -> None:
        """
        A directory that cannot be listed costs no start.
        """
        self.orders.load = lambda: fail(PermissionError(13, "Permission denied"))  # type: ignore[method-assign]
        self.assertEqual(self.journal().entries, ())

    def test_withoutStore(self) -> None:
        """
        One without a disk forgets with the process.
        """
        journal = Journal()
        self.successResultOf(journal.load())
        self.successResultOf(journal.begin(FRESH))
        self.assertEqual(journal.find(FRESH.names), FRESH)
        self.successResultOf(journal.forget(FRESH.names))
        self.assertEqual(journal.entries, ())
