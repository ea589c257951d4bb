"""
Tests for L{smartproxy_tw.service.holder}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.holder import holderOf


class HolderTests(SynchronousTestCase):
    """
    Who listens on a port.
    """

    def test_ourselves(self) -> None:
        """
        A port of our own is not blamed on somebody else.
        """
        with socket.create_server(("127.0.0.1", 0)) as mine:
            self.assertEqual(holderOf(mine.getsockname()[1]), f"this very process ({os.getpid()})")

    def test_ourselvesByIPv6(self) -> None:
        """
        IPv6 sockets are in another table, which is read too.
        """
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            mine = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError as why:
            self.skipTest(f"no IPv6 here: {why}")
        with mine:
            self.assertEqual(holderOf(mine.getsockname()[1]), f"this very process ({os.getpid()})")

    def test_anotherProcess(self) -> None:
        """
        Another process is named by its program and number.
        """
        code = (
            "import socket, sys\n"
            "mine = socket.create_server(('127.0.0.1', 0))\n"
            "print(mine.getsockname()[1], flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout is not None and other.stdin is not None
            holder = holderOf(int(other.stdout.readline()))
            other.stdin.close()
        self.assertIsNotNone(holder)
        self.assertIn(f"(process {other.pid})", holder or "")

    def test_nobody(self) -> None:
        """
        A port that nobody listens on has no holder; a connection is none.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()) as client:
                self.assertIsNone(holderOf(client.getsockname()[1]))
            number = server.getsockname()[1]
        self.assertIsNone(holderOf(number))

    def test_noProc(self) -> None:
        """
        Where the kernel's tables cannot be read, we cannot tell, and say so.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.assertIsNone(holderOf(server.getsockname()[1], self.mktemp()))
