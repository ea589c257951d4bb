"""
Tests for L{smartproxy_tw.service.deposit}.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service.deposit import PREFIX, Deposit, isOurs, nameOf

from ..examples import examples


class NameTests(SynchronousTestCase):
    """
    What sockets are called.
    """

    def test_names(self) -> None:
        """
        Each address has a name of its own, by TCP and by UDP.
        """
        self.assertEqual(nameOf(Address("0.0.0.0", 443)), "smartproxy_tw/tcp/0.0.0.0/443")
        self.assertEqual(nameOf(Address("::1", 53), isUDP=True), "smartproxy_tw/udp/__1/53")

    @given(st.ip_addresses(), st.integers(1, 65535), st.booleans())
    @examples(100)
    def test_allowed(self, host: object, number: int, isUDP: bool) -> None:
        """
        systemd takes every one of them: ASCII that can be seen, without a colon, and not
        longer than 255 bytes; and we know it again.
        """
        name = nameOf(Address(str(host), number), isUDP=isUDP)
        self.assertTrue(name.isascii() and name.isprintable() and ":" not in name and len(name) < 256, name)
        self.assertTrue(isOurs(name))

    def test_others(self) -> None:
        """
        Those of socket units are not ours, nor is what systemd calls a descriptor without a
        name.
        """
        for name in ("smartproxy.socket", "unknown", "stored", "", "number 1"):
            self.assertFalse(isOurs(name))


class DepositTests(SynchronousTestCase):
    """
    What is said when.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, str]] = []
        self.inodes: dict[str, int] = {}
        self.isFull = False
        self.deposit = Deposit(self.send, self.clock, 8)
        self.sockets: list[socket.socket] = []

    def send(self, message: bytes, descriptors: Sequence[int]) -> bool:
        """
        To a service manager that has room for messages, or has none.
        """
        if self.isFull:
            return False
        said = dict(line.split("=", 1) for line in message.decode().splitlines())
        name = said["FDNAME"].removeprefix(f"{PREFIX}tcp/127.0.0.1/")
        if "FDSTORE" in said:
            (descriptor,) = descriptors
            self.inodes[name] = os.fstat(descriptor).st_ino
            self.told.append(("+", name))
        else:
            self.assertEqual((said["FDSTOREREMOVE"], descriptors), ("1", ()))
            self.told.append(("-", name))
        return True

    def news(self) -> list[tuple[str, str]]:
        """
        What was said since the last time.
        """
        told, self.told = self.told, []
        return told

    def name(self, number: int) -> str:
        """
        Of a port.
        """
        return nameOf(Address("127.0.0.1", number))

    def add(self, *numbers: int) -> None:
        """
        Leave a socket of each.
        """
        for number in numbers:
            sock = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(sock.close)
            self.sockets.append(sock)
            self.deposit.add(self.name(number), sock)

    def test_waits(self) -> None:
        """
        As long as another process is the main one nothing is said, and all of it then.
        """
        self.add(80, 443)
        self.deposit.remove(self.name(8080))
        self.assertEqual(self.news(), [])
        self.deposit.begin()
        self.assertEqual(self.news(), [("-", "8080"), ("+", "80"), ("+", "443")])
        self.assertEqual(self.inodes["80"], os.fstat(self.sockets[0].fileno()).st_ino)

    def test_changes(self) -> None:
        """
        What comes and goes is said once, what comes again is said again.
        """
        self.deposit.begin()
        self.add(80, 443)
        self.news()
        self.deposit.remove(self.name(80))
        self.assertEqual(self.news(), [("-", "80")])
        self.add(80)
        self.assertEqual(self.news(), [("+", "80")])
        self.deposit.end()
        self.add(81)
        self.deposit.remove(self.name(443))
        self.assertEqual(self.news(), [])

    def test_thereAlready(self) -> None:
        """
        What the process before has left is not sent again.
        """
        self.deposit = Deposit(self.send, self.clock, 8, [self.name(80)])
        self.deposit.begin()
        self.add(80, 443)
        self.assertEqual(self.news(), [("+", "443")])

    def test_later(self) -> None:
        """
        What the manager has no room for is said later, with what is true by then: a port
        that has come and gone meanwhile is not sent, nor one whose socket is closed.
        """
        self.deposit.begin()
        self.isFull = True
        self.add(80, 443, 8080)
        self.deposit.remove(self.name(443))
        self.sockets[2].close()
        self.clock.advance(0.5)
        self.assertEqual(self.news(), [])
        self.isFull = False
        self.clock.advance(0.5)
        self.assertEqual(self.news(), [("-", "443"), ("+", "80")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ends(self) -> None:
        """
        Nothing is left behind of what was to be said later.
        """
        self.deposit.begin()
        self.isFull = True
        self.add(80)
        self.deposit.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_room(self) -> None:
        """
        No more are sent than are kept, which is told once; a place that becomes free is
        used.
        """
        logged: list[LogEvent] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        self.deposit = Deposit(self.send, self.clock, 2)
        self.deposit.begin()
        self.add(1, 2, 3, 4)
        self.assertEqual(self.news(), [("+", "1"), ("+", "2")])
        full = [each for each in logged if each.get("event") == "deposit-full"]
        self.assertEqual([each["room"] for each in full], [2])
        self.deposit.remove(self.name(1))
        self.assertEqual(self.news(), [("-", "1"), ("+", "3")])

    def test_hungUp(self) -> None:
        """
        What the manager's poll shows (it waits for nothing but an error or a hang-up): a
        socket that listens has neither, one that was shut down has hung up.
        """
        with socket.create_server(("127.0.0.1", 0)) as sock:
            poll = select.poll()
            poll.register(sock, 0)
            self.assertEqual(poll.poll(0), [])
            sock.shutdown(socket.SHUT_RDWR)
            self.assertTrue(poll.poll(0)[0][1] & select.POLLHUP)
