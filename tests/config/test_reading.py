"""
Tests for L{smartproxy_tw.config.reading}.
"""

from __future__ import annotations

import os
import time
from array import array
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load
from smartproxy_tw.config.model import Config
from smartproxy_tw.config.reading import Reading

from ..test_layers import inFreshInterpreter


class ReadingTests(SynchronousTestCase):
    """
    A file that is read by another process.
    """

    def file(self, text: str) -> str:
        """
        A configuration file.
        """
        path = Path(self.mktemp() + ".yaml")
        path.write_text(text)
        return str(path.absolute())

    def test_same(self) -> None:
        """
        What comes back is what reading it here gives, and nothing is left over.
        """
        path = self.file(
            "state_dir: /tmp/s\ntrusted_proxies: [10.0.0.0/8, '::1']\nacme: {directory: 'https://127.0.0.1/dir'}\n"
            "sites: {a.example: {to: [127.0.0.1:1, unix:/run/x.sock], www: redirect}}\n"
        )
        before = os.listdir("/proc/self/fd")
        self.assertEqual(Reading(path, load).result(), load(path))
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)

    def test_elsewhere(self) -> None:
        """
        It is another process that reads.
        """
        whoRead = self.mktemp()

        def remember(path: str) -> Config:
            Path(whoRead).write_text(str(os.getpid()))
            return load(path)

        Reading(self.file("state_dir: /tmp/s\nroutes: []\nsites: {a.example: 1}\n"), remember).result()
        self.assertNotEqual(Path(whoRead).read_text(), str(os.getpid()))

    def test_wrong(self) -> None:
        """
        All problems of a wrong file come back.
        """
        path = self.file("bnid: []\nacme: {emial: x}\n")
        here = self.assertRaises(ConfigError, load, path)
        aside = self.assertRaises(ConfigError, Reading(path, load).result)
        self.assertEqual(aside.problems, here.problems)
        self.assertEqual(str(aside), str(here))

    def test_missing(self) -> None:
        """
        So does that there is no file.
        """
        self.assertRaises(ConfigError, Reading("/nonexistent.yaml", load).result)

    def test_spared(self) -> None:
        """
        The other process imports what this one never does, without what it has no need of; and may be waited
        for beforehand, however much it has to say.
        """
        code = (
            "import os, sys; from smartproxy_tw.config.reading import Reading; here = os.getpid()\n"
            "def load(path):\n"
            "    assert os.getpid() != here\n"
            "    from smartproxy_tw.config.loading import load\n"
            "    config = load(path)\n"
            "    assert 'importlib.metadata' not in sys.modules\n"
            "    return config\n"
            "reading = Reading(sys.argv[1], load); reading.wait(); config = reading.result()\n"
            "print(len(config.routes), {'pydantic', 'yaml'} & set(sys.modules), 'PYTHONTZPATH' in os.environ)"
        )
        route = "- {match: {ports: 80, domains: n%d.example}, action: {type: forward, targets: 9}}\n"
        text = "routes:\n" + "".join(route % number for number in range(600))
        ended = inFreshInterpreter(code, self.file(text))
        self.assertEqual((ended.stdout, ended.stderr), ("600 set() False\n", ""))

    def test_noProcess(self) -> None:
        """
        Where no other process can be had it is read here.
        """

        def refuse() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        path = self.file("state_dir: /tmp/s\nsites: {a.example: 1}\n")
        self.assertEqual(Reading(path, load, refuse).result(), load(path))

    def test_processDies(self) -> None:
        """
        One that dies, or stumbles, costs time and nothing else.
        """
        here = os.getpid()

        def die(path: str) -> Config:
            if os.getpid() != here:
                os.kill(os.getpid(), 9)
            return load(path)

        def stumble(path: str) -> Config:
            if os.getpid() != here:
                raise MemoryError
            return load(path)

        path = self.file("state_dir: /tmp/s\nsites: {a.example: 1}\n")
        for trouble in (die, stumble):
            self.assertEqual(Reading(path, trouble).result(), load(path))

    def test_waited(self) -> None:
        """
        Who has waited for it has the same, be it more than a pipe holds, wrong, or read here after all.
        """

        def refuse() -> int:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        path, wrong = self.large(), self.file("bnid: []\n")
        for reading in (Reading(path, load), Reading(path, load, refuse)):
            reading.wait()
            reading.wait()
            self.assertEqual(reading.result(), load(path))
        reading = Reading(wrong, load)
        reading.wait()
        self.assertRaises(ConfigError, reading.result)

    def test_processDiesHalfway(self) -> None:
        """
        So does one that dies while it tells what it has read.
        """
        path, children = self.large(), []

        def fork() -> int:
            child = os.fork()
            children.append(child)
            return child

        reading = Reading(path, load, fork)
        told, deadline = array("i", [0]), time.monotonic() + 30
        while not told[0] and time.monotonic() < deadline:
            ioctl(reading._source, FIONREAD, told)
        os.kill(children[0], 9)
        self.assertEqual(reading.result(), load(path))

    def large(self) -> str:
        """
        A file of which more is to be told than a pipe holds.
        """
        routes = (
            f"- {{match: {{ports: {port}}}, action: {{type: block, body: {'x' * 999}}}}}\n"
            for port in range(1, 200)
        )
        return self.file("state_dir: /tmp/s\nroutes:\n" + "".join(routes))
