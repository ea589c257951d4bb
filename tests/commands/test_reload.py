"""
Tests for L{smartproxy_tw.commands.reload}: a proxy that answers as it is told, and a
real one behind its socket.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.cli import AWAY, CONFIGURATION, OK, TROUBLE, main
from smartproxy_tw.commands.admin import Answer
from smartproxy_tw.commands.reload import Outcome, reload
from smartproxy_tw.config.loading import load
from smartproxy_tw.config.model import Config
from smartproxy_tw.service import reader
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts

reactor: Any = _reactor


class ReloadTests(SynchronousTestCase):
    """
    What somebody at a terminal sees.
    """

    def reload(
        self, status: int, members: Mapping[str, Any], isDry: bool = False
    ) -> tuple[Outcome, str, str]:
        """
        Have it done by a proxy that answers so.
        """

        def ask(*question: Any) -> Answer:
            self.assertEqual(question, ("POST", "/v1/reload", {"dry_run": isDry}))
            return Answer(status, members)

        out, err = io.StringIO(), io.StringIO()
        outcome = reload(ask, isDry=isDry, out=out, err=err)
        return outcome, out.getvalue(), err.getvalue()

    def test_done(self) -> None:
        """
        Every change has a line, and nothing one too.
        """
        lines = ["route added: a", "port bound: 80"]
        self.assertEqual(self.reload(200, {"lines": lines}), (True, "route added: a\nport bound: 80\n", ""))
        self.assertEqual(self.reload(200, {"lines": []}), (True, "nothing has changed\n", ""))

    def test_restart(self) -> None:
        """
        A dry run tells that it could not be done.
        """
        members = {"lines": ["x"], "changes": {"settings": [{"name": "workers", "needs_restart": True}]}}
        outcome, out, err = self.reload(200, members, isDry=True)
        self.assertEqual((outcome, out), (False, "x\n"))
        self.assertIn("needs a restart", err)

    def test_refused(self) -> None:
        """
        Why it is not done is told, and whether the configuration is to blame.
        """
        for status, wanted in ((422, None), (409, False), (404, False), (503, False)):
            found = self.reload(status, {"error": {"message": "no"}})
            self.assertEqual(found, (wanted, "", "no\n"))


class CommandTests(TestCase):
    """
    The command, and a proxy that runs by a file.
    """

    timeout = 300

    def setUp(self) -> None:
        self.path = Path(self.mktemp() + ".yaml").absolute()
        self.ports = freePorts(2)
        self.write(self.ports[0])

    def write(self, port: int, more: str = "") -> None:
        """
        The configuration.
        """
        self.path.write_text(
            f"bind: 127.0.0.1\nstate_dir: ./state\naccess_log: {{format: off}}\n{more}"
            f"routes:\n  - {{name: a, match: {{ports: {port}}}, action: {{type: respond}}}}\n"
        )

    async def command(self, *words: str) -> tuple[int, str, str]:
        """
        C{smartproxy reload}.
        """
        out, err = io.StringIO(), io.StringIO()

        def call() -> int:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                return main(["reload", "--config", str(self.path), *words])

        status = await deferToThread(call)
        return status, out.getvalue(), err.getvalue()

    def readHere(self, reactor: object, path: str) -> Deferred[Config]:
        """
        As L{reader.readAside}, in this process.
        """
        self.assertEqual(path, str(self.path))
        return maybeDeferred(load, path)

    async def _story(self) -> None:
        status, out, err = await self.command()
        self.assertEqual((status, out), (AWAY, ""))
        proxy = SmartProxy(load(str(self.path)), reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        self.assertEqual(await self.command(), (OK, "nothing has changed\n", ""))
        self.write(self.ports[1])
        # It was read in a process of its own, of which there are tests elsewhere; from here on, in
        # this one, it takes a tenth of the time.
        self.patch(reader, "readAside", self.readHere)
        wanted = f"route changed: a\nport bound: {self.ports[1]}\nport released: {self.ports[0]}\n"
        self.assertEqual(await self.command("--dry-run"), (OK, wanted, ""))
        self.assertEqual([each.port for each in proxy.listeners.addresses], [self.ports[0]])
        self.assertEqual(await self.command(), (OK, wanted, ""))
        self.assertEqual([each.port for each in proxy.listeners.addresses], [self.ports[1]])
        self.write(self.ports[1], "timeouts: {drian: 1}\n")
        socket = ("--socket", proxy.config.stateDir + "/admin.sock")
        for words in ((), socket):
            status, out, err = await self.command(*words)
            self.assertEqual((status, out), (CONFIGURATION, ""))
            self.assertIn(":4:12: timeouts.drian: is not an option here", err)
        self.write(self.ports[1], "workers: 2\n")
        status, out, err = await self.command("--dry-run")
        self.assertEqual((status, out), (TROUBLE, "workers: 1 -> 2 (needs a restart)\n"))
        status, out, err = await self.command()
        self.assertEqual((status, out), (TROUBLE, ""))
        self.assertIn("workers: 1 -> 2", err)
        self.assertEqual(proxy.config.workers, 1)

    def test_story(self) -> Deferred[None]:
        """
        Each end of the command has its status, and the proxy does what is told.
        """
        return Deferred.fromCoroutine(self._story())
