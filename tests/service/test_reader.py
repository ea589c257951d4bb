"""
Tests for L{smartproxy_tw.service.reader}, with real processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.process import ProcessReader
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.errors import ConfigError
from smartproxy_tw.config.loading import load
from smartproxy_tw.service import reader
from smartproxy_tw.service.errors import ChangeRefused
from smartproxy_tw.service.reader import readAside

reactor: Any = _reactor

GOOD = """
state_dir: ./state
timeouts: {drain: 3}
routes:
  - {name: a, match: {ports: 8080}, action: {type: respond, body: "${GREETING}"}}
"""


class ReadAsideTests(TestCase):
    """
    L{readAside}.
    """

    timeout = 300

    def setUp(self) -> None:
        self.path = Path(self.mktemp() + ".yaml").absolute()
        self.patch(os, "environ", {**os.environ, "GREETING": "hello"})
        self.addCleanup(lambda: Deferred.fromCoroutine(self._reaped()))

    async def _reaped(self) -> None:
        """
        Wait for the end of processes that were killed.
        """
        while any(isinstance(each, ProcessReader) for each in reactor.getReaders()):
            await deferLater(reactor, 0.01)

    async def _good(self) -> None:
        self.path.write_text(GOOD)
        found = await readAside(reactor, str(self.path))
        self.assertEqual(found, load(str(self.path), os.environ))
        self.assertEqual(found.source, str(self.path))

    def test_good(self) -> Deferred[None]:
        """
        What is read there is what would be read here, by the same environment.
        """
        return Deferred.fromCoroutine(self._good())

    async def _bad(self) -> None:
        self.path.write_text(GOOD + "\t- 7\n")
        here = self.assertRaises(ConfigError, load, str(self.path), os.environ)
        there = await self.assertFailure(readAside(reactor, str(self.path)), ConfigError)
        self.assertEqual(there.problems, here.problems)
        self.assertEqual(len(there.problems), 1)

    def test_bad(self) -> Deferred[None]:
        """
        What is wrong is told, with its place, as it would be here; that this is all that is wrong
        is shown of the program, where it takes less time.
        """
        return Deferred.fromCoroutine(self._bad())

    async def _missing(self) -> None:
        why = await self.assertFailure(readAside(reactor, str(self.path)), ConfigError)
        self.assertIn("cannot be read: No such file", str(why))

    def test_missing(self) -> Deferred[None]:
        """
        A file that is not there is told like any mistake.
        """
        return Deferred.fromCoroutine(self._missing())

    async def _fails(self) -> None:
        self.path.write_text(GOOD)
        self.patch(reader, "_PROGRAM", "smartproxy_tw.nowhere")
        why = await self.assertFailure(readAside(reactor, str(self.path)), ChangeRefused)
        self.assertIn(f"The process that was to read {self.path} came to nothing", str(why))
        self.assertIn("No module named smartproxy_tw.nowhere", str(why))
        self.patch(sys, "executable", "/nowhere/python")
        why = await self.assertFailure(readAside(reactor, str(self.path)), ChangeRefused)
        self.assertIn(str(self.path), str(why))

    def test_fails(self) -> Deferred[None]:
        """
        A process that comes to nothing is told with what it said.
        """
        return Deferred.fromCoroutine(self._fails())

    async def _slow(self) -> None:
        self.patch(reader, "_PROGRAM", "http.server")
        self.patch(reader, "_PATIENCE", 0.3)
        why = await self.assertFailure(readAside(reactor, "0"), ChangeRefused)
        self.assertIn("could not be read within 0.3 s", str(why))
        self.patch(reader, "_PATIENCE", 30)
        reading = readAside(reactor, "0")
        reading.cancel()
        await self.assertFailure(reading, CancelledError)

    def test_slow(self) -> Deferred[None]:
        """
        One that takes too long, and one that nobody waits for any more, is ended.
        """
        return Deferred.fromCoroutine(self._slow())
