"""
Tests for L{smartproxy_tw.control.handed}.
"""

from __future__ import annotations

import os
import socket
import tempfile

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.control.handed import HandedPort


class HandedPortTests(SynchronousTestCase):
    """
    L{HandedPort}.
    """

    def listening(self, family: int, where: tuple[str, int] | str) -> socket.socket:
        """
        A socket of somebody else's.
        """
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.bind(where)
        sock.listen()
        sock.setblocking(False)
        return sock

    def handed(self, sock: socket.socket) -> HandedPort:
        """
        Its descriptor, in this process.
        """
        port = HandedPort(os.dup(sock.fileno()))
        self.addCleanup(port.socket.close)
        return port

    def test_host(self) -> None:
        """
        It says where it is bound, whichever family that is of.
        """
        four = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        number = four.getsockname()[1]
        self.assertEqual(self.handed(four).getHost(), IPv4Address("TCP", "127.0.0.1", number))
        six = self.listening(socket.AF_INET6, ("::1", 0))
        number = six.getsockname()[1]
        self.assertEqual(self.handed(six).getHost(), IPv6Address("TCP", "::1", number))
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "sock")
            unix = self.listening(socket.AF_UNIX, path)
            self.assertEqual(self.handed(unix).getHost(), UNIXAddress(path.encode()))

    def test_accepts(self) -> None:
        """
        It listens already, and goes on not to block.
        """
        port = self.handed(self.listening(socket.AF_INET, ("127.0.0.1", 0)))
        verifyObject(IListeningPort, port)
        port.startListening()
        self.assertRaises(BlockingIOError, port.socket.accept)
        with socket.create_connection(port.socket.getsockname()[:2], timeout=60):
            port.socket.accept()[0].close()

    def test_stop(self) -> None:
        """
        Who has it too goes on listening when it is let go of here, once or twice.
        """
        sock = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        port = self.handed(sock)
        for _ in range(2):
            self.successResultOf(port.stopListening())
        self.assertEqual(port.socket.fileno(), -1)
        with socket.create_connection(sock.getsockname(), timeout=60):
            sock.accept()[0].close()

    def test_noSocket(self) -> None:
        """
        What is no socket is told at once.
        """
        with open(os.devnull, "rb") as file:
            self.assertRaises(OSError, HandedPort, file.fileno())
