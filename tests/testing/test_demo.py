"""
Tests for L{smartproxy_tw.testing.demo}: what a newcomer sees with one command.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from smartproxy_tw.service.errors import StartError
from smartproxy_tw.testing.demo import NAME, freePort

from ..interrupts import interruptible

PACKAGE = Path(smartproxy_tw.__file__).parent
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class FreePortTests(SynchronousTestCase):
    """
    Which ports the demo takes.
    """

    def test_nextFree(self) -> None:
        """
        A port that is taken, or spoken for, is passed over.
        """
        first = freePort(20000)
        with socket.create_server(("127.0.0.1", first)):
            second = freePort(first)
        self.assertGreater(second, first)
        self.assertGreater(freePort(first, (first,)), first)
        self.assertEqual(freePort(first), first)

    def test_none(self) -> None:
        """
        When there is none, that is said.
        """
        self.assertRaises(StartError, freePort, 65536)


class DemoTests(SynchronousTestCase):
    """
    The whole of it, as it is typed.
    """

    def setUp(self) -> None:
        self.temporary = Path(self.mktemp()).resolve()
        self.temporary.mkdir(parents=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if "SMARTPROXY_TW_INSTALLED" not in os.environ:
            environment["PYTHONPATH"] = str(PACKAGE.parent)
        self.environment = {**environment, "TMPDIR": str(self.temporary)}

    def test_demo(self) -> None:
        """
        The four links are shown in their order with their times, then a
        command that works as pasted; Ctrl-C ends it, and nothing is left.
        """
        with interruptible():
            process = subprocess.Popen(
                [*TWISTD, "-n", "--pidfile=", "smartproxy", "--demo"],
                cwd=self.temporary,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("curl "):
                break
        shown = "\n".join(lines)
        self.assertEqual(
            re.findall(r"^  (\w+) +\d+ ms ", shown, re.MULTILINE),
            ["bound", "adopted", "presented", "installed"],
            shown,
        )
        self.assertIn(b"Hello from the origin", self.paste(lines[-1]))
        process.send_signal(2)
        rest = process.stdout.read()
        self.assertNotIn("Traceback", shown + rest)
        process.wait(60)
        self.assertEqual(os.listdir(self.temporary), [])

    def paste(self, command: str) -> bytes:
        """
        Do what the command says, on a machine that may have no curl.
        """
        curl, cacert, path, resolve, place, url = shlex.split(command)
        self.assertEqual((curl, cacert, resolve), ("curl", "--cacert", "--resolve"))
        self.assertTrue(os.path.isabs(path))
        name, port, address = place.split(":")
        self.assertEqual((name, url), (NAME, f"https://{NAME}:{port}/"))
        context = ssl.create_default_context(cafile=path)
        with socket.create_connection((address, int(port)), timeout=60) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                secure.sendall(
                    b"GET / HTTP/1.1\r\nHost: "
                    + place[: -len(address) - 1].encode()
                    + b"\r\nConnection: close\r\n\r\n"
                )
                answer = b""
                while part := secure.recv(65536):
                    answer += part
        return answer

    def test_notAsADaemon(self) -> None:
        """
        A daemon has no terminal to show anything on: it says how to do it.
        """
        ran = subprocess.run(
            [*TWISTD, "smartproxy", "--demo"],
            cwd=self.temporary,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(ran.returncode, 1)
        self.assertIn("twistd -n smartproxy --demo", ran.stderr)
        self.assertEqual(os.listdir(self.temporary), [])
