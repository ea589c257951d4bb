"""
Tests for L{smartproxy_tw.guards.verifier}.
"""

from __future__ import annotations

from collections.abc import Callable

import bcrypt
from argon2 import PasswordHasher
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.guards.verifier import Answer, Threads, Verifier, matches

BCRYPT = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
ARGON2 = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")


class Desk:
    """
    Where jobs lie until a test does them.
    """

    def __init__(self) -> None:
        self.jobs: list[tuple[Callable[[], bool], Callable[[bool | Exception], None]]] = []

    def do(self, job: Callable[[], bool], done: Callable[[bool | Exception], None]) -> None:
        """Later."""
        self.jobs.append((job, done))

    def work(self) -> None:
        """
        Do them.
        """
        jobs, self.jobs = self.jobs, []
        for job, done in jobs:
            try:
                outcome: bool | Exception = job()
            except Exception as why:
                outcome = why
            done(outcome)


class MatchesTests(SynchronousTestCase):
    """
    L{matches}.
    """

    def test_both(self) -> None:
        """
        Hashes of both kinds know their password and no other.
        """
        for hash in (BCRYPT, BCRYPT.replace("$2b$", "$2y$"), ARGON2):
            self.assertTrue(matches(hash, b"secret"))
            for wrong in (b"", b"Secret", b"secret\0", b"\0", b"x" * 1000):
                self.assertFalse(matches(hash, wrong), hash)

    def test_long(self) -> None:
        """
        Of a long password bcrypt takes what it always took.
        """
        hash = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
        self.assertTrue(matches(hash, b"x" * 100))


class VerifierTests(SynchronousTestCase):
    """
    L{Verifier}.
    """

    def setUp(self) -> None:
        self.clock, self.desk = Clock(), Desk()
        self.verifier = Verifier(self.desk.do, self.clock.seconds)
        self.heard: list[Answer] = []

    def verify(self, password: bytes, user: bytes = b"bob") -> bool:
        """
        Ask.
        """
        mark = self.verifier.mark(user, password)
        return self.verifier.verify(mark, BCRYPT, password, self.heard.append)

    def test_remembered(self) -> None:
        """
        That somebody was right is remembered for five minutes; that somebody was wrong never.
        """
        self.verify(b"secret")
        self.verify(b"wrong")
        self.assertEqual(self.heard, [])
        self.desk.work()
        self.assertEqual(self.heard, [True, False])
        right, wrong = (self.verifier.mark(b"bob", each) for each in (b"secret", b"wrong"))
        self.assertEqual([self.verifier.isRemembered(each) for each in (right, wrong)], [True, False])
        self.clock.advance(299)
        self.assertTrue(self.verifier.isRemembered(right))
        self.clock.advance(1)
        self.assertFalse(self.verifier.isRemembered(right))

    def test_marks(self) -> None:
        """
        Marks tell apart what is different, and are others in another process.
        """
        marks = {self.verifier.mark(*parts) for parts in ((b"a", b"bc"), (b"ab", b"c"), (b"abc",))}
        self.assertEqual(len(marks), 3)
        other = Verifier(self.desk.do, self.clock.seconds)
        self.assertNotEqual(other.mark(b"a"), self.verifier.mark(b"a"))

    def test_together(self) -> None:
        """
        Who shows the same at the same time is verified once.
        """
        for _ in range(5):
            self.assertTrue(self.verify(b"secret"))
        self.assertEqual(len(self.desk.jobs), 1)
        self.desk.work()
        self.assertEqual(self.heard, [True] * 5)

    def test_overload(self) -> None:
        """
        When very many ask, those who come last are told so.
        """
        taken = [self.verify(b"%d" % number) for number in range(100)]
        self.assertEqual(taken, [True] * 64 + [False] * 36)
        self.desk.work()
        self.assertEqual(self.heard, [False] * 64)
        self.assertTrue(self.verify(b"again"))

    def test_bounded(self) -> None:
        """
        What is remembered is bounded.
        """
        for number in range(5000):
            self.verifier._found(b"%d" % number, True)
        self.assertLessEqual(len(self.verifier._right), 4096)

    def test_failing(self) -> None:
        """
        What goes wrong is told, and is not right.
        """
        self.verifier.verify(b"m", "no hash", b"x", self.heard.append)
        self.desk.work()
        self.assertIsInstance(self.heard[0], ValueError)


class ThreadsTests(TestCase):
    """
    L{Threads}.
    """

    def test_elsewhere(self) -> Deferred[bool | Exception]:
        """
        Jobs are done in another thread, results are told in this one; afterwards no thread is left.
        """
        import threading

        threads = Threads(reactor)
        self.addCleanup(threads.close)
        done: Deferred[bool | Exception] = Deferred()
        here = threading.get_ident()

        def told(outcome: bool | Exception) -> None:
            self.assertEqual(threading.get_ident(), here)
            done.callback(outcome)

        def job() -> bool:
            return threading.get_ident() != here and threading.current_thread().daemon

        threads.do(job, told)
        return done.addCallback(self.assertIs, True)

    def test_raises(self) -> Deferred[bool | Exception]:
        """
        What a job raises is told.
        """
        threads = Threads(reactor)
        self.addCleanup(threads.close)
        done: Deferred[bool | Exception] = Deferred()
        threads.do(lambda: bool(1 / 0), done.callback)
        return done.addCallback(self.assertIsInstance, ZeroDivisionError)

    def test_unused(self) -> None:
        """
        Without a job there is no thread.
        """
        Threads(reactor).close()
