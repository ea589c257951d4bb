"""
Tests for L{smartproxy_tw.store.foreign}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txacme.interfaces import ICertificateStore
from txacme.testing import MemoryStore
from zope.interface import implementer

from smartproxy_tw.store.foreign import ForeignCertificates


@implementer(ICertificateStore)
class Store:
    """
    Answers whatever is asked as it was told to.
    """

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def get(self, server_name: str) -> Any:
        return self.answers()

    def store(self, server_name: str, pem_objects: Any) -> Any:
        return self.answers()

    def as_dict(self) -> Any:
        return self.answers()


class ForeignTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def foreign(self, answers: Any) -> ForeignCertificates:
        """
        One around a store that answers so.
        """
        return ForeignCertificates(Store(answers), self.clock)

    def test_txacmes(self) -> None:
        """
        txacme's own store does through it what it does by itself, and what was
        given out does not change with what is stored later.
        """
        store = ForeignCertificates(MemoryStore(), self.clock)
        before = self.successResultOf(store.as_dict())
        self.assertIsNone(self.successResultOf(store.store("a.test", iter(["key", "certificate"]))))
        self.assertEqual(self.successResultOf(store.get("a.test")), ["key", "certificate"])
        self.assertEqual(self.successResultOf(store.as_dict()), {"a.test": ["key", "certificate"]})
        self.assertEqual(before, {})
        self.failureResultOf(store.get("b.test"), KeyError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """
        One that never answers is waited for half a minute.
        """
        store = self.foreign(lambda: Deferred(lambda _: None))
        asked = [store.as_dict(), store.get("a.test"), store.store("a.test", [])]
        self.clock.advance(29.0)
        for each in asked:
            self.assertNoResult(each)
        self.clock.advance(1.0)
        for each, method in zip(asked, ("as_dict", "get", "store"), strict=True):
            why = self.failureResultOf(each, OSError).value
            self.assertEqual(str(why), f"Store.{method} did not answer within 30 s")

    def test_fails(self) -> None:
        """
        What it raises of its own becomes an error of a store, and a cancellation of
        its own is no end of ours.
        """

        def breaks() -> None:
            raise RuntimeError("no connection.")

        for answers, said in (
            (breaks, "Store.as_dict failed with RuntimeError: no connection"),
            (lambda: fail(CancelledError()), "Store.as_dict failed with CancelledError: "),
            (lambda: succeed(7), "Store.as_dict failed with TypeError: 'int' object is not iterable"),
        ):
            why = self.failureResultOf(self.foreign(answers).as_dict(), OSError).value
            self.assertEqual(str(why), said)
        for known in (KeyError("a"), ValueError("odd"), PermissionError("no")):
            failure = self.failureResultOf(self.foreign(lambda why=known: fail(why)).as_dict())
            self.assertIs(failure.value, known)

    def test_oddEntries(self) -> None:
        """
        What cannot be an entry costs no other one anything.
        """
        store = self.foreign(lambda: {"a.test": None, "b.test": ("key", "certificate")})
        found = self.successResultOf(store.as_dict())
        self.assertEqual(found, {"a.test": [], "b.test": ["key", "certificate"]})

    def test_cancelled(self) -> None:
        """
        Who does not wait any more leaves nothing behind.
        """
        asked = self.foreign(Deferred).as_dict()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
