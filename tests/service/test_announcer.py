"""
Tests for L{smartproxy_tw.service.announcer}.
"""

from __future__ import annotations

import os
import socket
import time
from tempfile import TemporaryDirectory

from hypothesis import given
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.routing.steps import Steps
from smartproxy_tw.service.announcer import EVERY, PAUSE, Announcer, Notifier, Wish, wishIn

from ..examples import awkwardText, examples


class WishTests(SynchronousTestCase):
    """
    What the environment says.
    """

    def test_none(self) -> None:
        """
        Without a socket, or with one of a kind that we do not know, there is nobody.
        """
        for path in ("", "/", "@", "relative", "vsock:2:1234"):
            self.assertIsNone(wishIn({"NOTIFY_SOCKET": path}, 12))
        self.assertIsNone(wishIn({}, 12))

    def test_taken(self) -> None:
        """
        What it says is not left for other programs.
        """
        environ = {
            "NOTIFY_SOCKET": "/run/notify",
            "WATCHDOG_USEC": "30000000",
            "WATCHDOG_PID": "12",
            "HOME": "/",
        }
        self.assertEqual(wishIn(environ, 12), Wish("/run/notify", 12, 30.0))
        self.assertEqual(environ, {"HOME": "/"})

    def test_watchdog(self) -> None:
        """
        A watchdog may be another process's, and may be nonsense.
        """
        for microseconds, pid, seconds in (
            ("1000000", "", 1.0),
            ("1000000", "13", None),
            ("0", "12", None),
            ("soon", "12", None),
            ("-5", "12", None),
            ("9" * 5000, "12", None),
        ):
            told = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid}
            self.assertEqual(wishIn(told, 12), Wish("@x", 12, seconds))

    def test_room(self) -> None:
        """
        The manager says how many descriptors it keeps; what is no number is none.
        """
        for said, room in (("512", 512), ("0", 0), ("", 0), ("many", 0), ("-1", 0)):
            environ = {"NOTIFY_SOCKET": "@x", "FDSTORE": said}
            self.assertEqual(wishIn(environ, 12), Wish("@x", 12, None, room))
            self.assertEqual(environ, {})

    @given(awkwardText(20), awkwardText(9), awkwardText(9))
    @examples(100)
    def test_nonsense(self, path: str, microseconds: str, pid: str) -> None:
        """
        Whatever is there, it is read or not.
        """
        wishIn({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid}, 12)


class AnnouncerTests(SynchronousTestCase):
    """
    What is told when.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.isFull = self.isLong = False
        self.text = "all is well"
        self.announcer = self.make(Wish("@x", 12))

    def make(self, wish: Wish, pid: int = 12) -> Announcer:
        """
        One that speaks for process 12 or what became of it.
        """
        return Announcer(
            wish,
            self.send,
            self.clock,
            self.describe,
            patience=40,
            pid=lambda: pid,
            monotonic=lambda: 5_000_000,
        )

    def describe(self) -> Steps[str]:
        """
        How it stands, as soon as that is known.
        """
        while self.isLong:
            # Longer than a slice.
            time.sleep(0.02)
            yield
        return self.text

    def send(self, message: bytes) -> bool:
        """
        To a service manager that has room, or has none.
        """
        if not self.isFull:
            self.told.append(message.decode())
        return not self.isFull

    def news(self) -> list[str]:
        """
        What was told since the last time.
        """
        told, self.told = self.told, []
        return told

    def test_aLife(self) -> None:
        """
        The start, everything being served, and the end, with the time that it may
        take; and nothing is left behind.
        """
        self.announcer.begin()
        self.assertEqual(self.news(), ["STATUS=Starting"])
        self.announcer.ready()
        self.assertEqual(self.news(), ["READY=1", "STATUS=all is well"])
        self.announcer.stopping()
        (text,) = self.news()
        self.assertTrue(text.startswith("STOPPING=1\nEXTEND_TIMEOUT_USEC=40000000\nSTATUS=Stopping"), text)
        self.announcer.changed()
        self.announcer.end()
        self.assertEqual(self.news(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_succeeded(self) -> None:
        """
        When another process has taken over that is told, and nothing more.
        """
        self.announcer.begin()
        self.announcer.ready()
        self.news()
        self.isFull = True
        self.announcer.succeeded(77)
        self.assertEqual(self.news(), [])
        self.isFull = False
        self.clock.advance(1)
        self.assertEqual(self.news(), ["MAINPID=77"])
        self.announcer.stopping()
        self.announcer.changed()
        self.announcer.end()
        self.clock.advance(100)
        self.assertEqual(self.news(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_daemon(self) -> None:
        """
        A process that has become another one says which.
        """
        self.make(Wish("@x", 12), pid=13).ready()
        self.assertEqual(self.news(), ["READY=1\nMAINPID=13", "STATUS=all is well"])

    def test_status(self) -> None:
        """
        Changes are told soon, a burst of them once, and nothing without one; what
        changes by itself within a minute.
        """
        self.announcer.changed()
        self.announcer.ready()
        self.news()
        for _ in range(5):
            self.announcer.changed()
        self.text = "one failing"
        self.clock.advance(PAUSE)
        self.assertEqual(self.news(), ["STATUS=one failing"])
        self.announcer.changed()
        self.clock.advance(PAUSE)
        self.assertEqual(self.news(), [])
        self.text = "one expired"
        self.clock.advance(EVERY)
        self.assertEqual(self.news(), ["STATUS=one expired"])

    def test_changesGoOn(self) -> None:
        """
        Changes without a pause do not put off the telling.
        """
        self.announcer.ready()
        self.news()
        self.text = "better"
        for _ in range(5):
            self.announcer.changed()
            self.clock.advance(PAUSE / 4)
        self.assertEqual(self.news(), ["STATUS=better"])

    def test_many(self) -> None:
        """
        Being ready does not wait until ten thousand certificates are counted, and what
        changes meanwhile is told soon after.
        """
        self.isLong = True
        self.announcer.ready()
        self.assertEqual(self.news(), ["READY=1"])
        self.announcer.changed()
        self.isLong = False
        self.clock.advance(0)
        self.assertEqual(self.news(), ["STATUS=all is well"])
        self.text = "better"
        self.clock.advance(PAUSE)
        self.assertEqual(self.news(), ["STATUS=better"])

    def test_stopsCounting(self) -> None:
        """
        A stop does not wait for it either.
        """
        self.isLong = True
        self.announcer.ready()
        self.announcer.stopping()
        self.announcer.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_defect(self) -> None:
        """
        A defect in the telling is logged, and tried again.
        """
        text, self.text = self.text, None  # type: ignore[assignment]
        self.patch(self, "describe", self.broken)
        announcer = self.make(Wish("@x", 12))
        announcer.ready()
        self.assertEqual(self.news(), ["READY=1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.text = text
        self.clock.advance(EVERY)
        self.assertEqual(self.news(), ["STATUS=all is well"])

    def broken(self) -> Steps[str]:
        """
        A description with a defect, for as long as there is no text.
        """
        yield
        if self.text is None:
            raise ZeroDivisionError
        return self.text

    def test_failure(self) -> None:
        """
        Why there was no start is what remains to be read.
        """
        self.announcer.begin()
        self.announcer.failed("Cannot listen on 0.0.0.0:80")
        self.announcer.stopping()
        self.assertTrue(all(each.endswith("STATUS=Cannot listen on 0.0.0.0:80") for each in self.news()[1:]))

    def test_watchdog(self) -> None:
        """
        Signs of life come twice as often as they have to, from the start until all
        is over.
        """
        announcer = self.make(Wish("@x", 12, 10.0))
        announcer.begin()
        announcer.begin()
        self.clock.pump([2.5] * 4)
        self.assertEqual(self.news().count("WATCHDOG=1"), 3)
        announcer.ready()
        announcer.stopping()
        self.news()
        self.clock.pump([5.0] * 2)
        self.assertEqual(self.news(), ["WATCHDOG=1"] * 2)
        announcer.end()
        self.clock.pump([5.0] * 2)
        self.assertEqual(self.news(), [])

    def test_noWatchdog(self) -> None:
        """
        Nobody is shown signs of life who has not asked for them.
        """
        self.announcer.begin()
        self.clock.advance(3600)
        self.assertEqual(self.news(), ["STATUS=Starting"])

    def test_blocked(self) -> None:
        """
        A reactor that does not turn gives none, and does not make up for them.
        """
        announcer = self.make(Wish("@x", 12, 10.0))
        announcer.begin()
        self.news()
        self.clock.advance(1000)
        self.assertEqual(self.news(), ["WATCHDOG=1"])

    def test_reload(self) -> None:
        """
        A reload begins with the time, and ends by everything being served, well or
        not; its outcome is passed on.
        """
        ended: Deferred[str] = Deferred()
        self.announcer.reloads(ended)
        self.assertEqual(self.news(), [])
        self.announcer.ready()
        self.news()
        for outcome in ("done", ZeroDivisionError()):
            ended = Deferred()
            self.announcer.reloads(ended)
            (text,) = self.news()
            self.assertTrue(text.startswith("RELOADING=1\nMONOTONIC_USEC=5000\n"), text)
            if isinstance(outcome, str):
                ended.callback(outcome)
                self.assertEqual(self.successResultOf(ended), outcome)
            else:
                ended.errback(outcome)
                self.failureResultOf(ended, ZeroDivisionError)
            self.assertEqual(self.news(), ["READY=1", "STATUS=all is well"])

    def test_reloadThatIsOvertaken(self) -> None:
        """
        Who stops meanwhile is not ready again.
        """
        self.announcer.ready()
        ended: Deferred[None] = Deferred()
        self.announcer.reloads(ended)
        self.announcer.stopping()
        self.news()
        ended.callback(None)
        self.assertEqual(self.news(), [])

    def test_noRoom(self) -> None:
        """
        What a busy service manager has no room for is told later, in its order;
        signs of life are not.
        """
        announcer = self.make(Wish("@x", 12, 10.0))
        self.isFull = True
        announcer.begin()
        announcer.ready()
        self.clock.advance(1)
        self.isFull = False
        self.clock.advance(1)
        self.assertEqual(self.news(), ["STATUS=Starting", "READY=1", "STATUS=all is well"])
        self.isFull = True
        announcer.stopping()
        announcer.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class NotifierTests(SynchronousTestCase):
    """
    The socket.
    """

    def listen(self, address: str | bytes) -> socket.socket:
        """
        Be a service manager.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(60)
        sock.bind(address)
        return sock

    def notifier(self, path: str) -> Notifier:
        """
        One that is closed in the end.
        """
        notifier = Notifier(path)
        self.addCleanup(notifier.close)
        return notifier

    def test_path(self) -> None:
        """
        It may be a file.
        """
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "notify")
        manager = self.listen(path)
        self.assertTrue(self.notifier(path).send(b"READY=1"))
        self.assertEqual(manager.recv(100), b"READY=1")

    def test_abstract(self) -> None:
        """
        It may be a name without a file.
        """
        name = f"smartproxy-test-{os.getpid()}"
        manager = self.listen(b"\0" + name.encode())
        self.assertTrue(self.notifier(f"@{name}").send(b"READY=1"))
        self.assertEqual(manager.recv(100), b"READY=1")

    def test_descriptors(self) -> None:
        """
        Descriptors come along, as duplicates.
        """
        name = f"smartproxy-test-{os.getpid()}"
        manager = self.listen(b"\0" + name.encode())
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.assertTrue(self.notifier(f"@{name}").send(b"FDSTORE=1", (sock.fileno(),)))
            address = sock.getsockname()
        message, (descriptor,), _, _ = socket.recv_fds(manager, 100, 2)
        self.assertEqual(message, b"FDSTORE=1")
        with socket.socket(fileno=descriptor) as found:
            self.assertEqual(found.getsockname(), address)

    def test_full(self) -> None:
        """
        Nobody waits for a manager that does not read.
        """
        name = f"smartproxy-test-{os.getpid()}"
        self.listen(b"\0" + name.encode())
        notifier = self.notifier(f"@{name}")
        sent = 0
        while notifier.send(b"x") and sent < 100_000:
            sent += 1
        self.assertLess(sent, 100_000)

    def test_gone(self) -> None:
        """
        A manager that is gone, or cannot be reached at all, is no reason to fail.
        """
        for path in ("/nowhere/notify", "@nobody", f"/{'x' * 500}", "/a\0b"):
            self.assertTrue(self.notifier(path).send(b"READY=1"))
        closed = self.notifier("@nobody")
        closed.close()
        closed.close()
        self.assertTrue(closed.send(b"READY=1"))
