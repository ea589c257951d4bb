"""
Workers where it matters that there are several: a certificate authority that asks
while one of them is held up, and ports and rights that only root can give.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from smartproxy_tw.config.model import Config
from smartproxy_tw.control.supervisor import Supervisor
from smartproxy_tw.facts import Challenge
from smartproxy_tw.service.tree import SmartProxy
from tests.test_tap import environment

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import PATIENCE
from .test_process import HERE, TWISTD, ProcessCase
from .test_promise import Client, configuration, fresh, story
from .test_workers import ask, workersOf

reactor: Any = _reactor

#: Somebody who may do nothing; Debian calls it nobody.
NOBODY = 65534


class Held(Supervisor):
    """
    Stops its last worker at the moment in which a challenge is to be presented.
    """

    held: list[float]

    def present(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{Supervisor}; the worker goes on a second later.
        """
        pid = self.pids[2]
        assert pid is not None
        began = reactor.seconds()
        os.kill(pid, signal.SIGSTOP)
        reactor.callLater(1.0, os.kill, pid, signal.SIGCONT)

        def presented(_: None) -> None:
            self.held.append(reactor.seconds() - began)

        return super().present(challenge).addCallback(presented)


class HeldTests(TestCase):
    """
    Two workers, one of which is stopped, and Pebble.
    """

    skip = missing
    timeout = 900

    @story
    async def test_stoppedAtTheChallenge(self) -> None:
        """
        The authority is not told before the last worker answers the challenge, so
        its first look succeeds; and the certificate is served by both.
        """
        ports = freePorts(2)
        authority = Pebble(reactor, self.mktemp(), httpPort=ports[0], tlsPort=ports[1])
        self.addCleanup(authority.stop)
        await authority.start()
        held: list[float] = []

        def plane() -> Supervisor:
            made = Held(reactor, 2)
            made.held = held
            return made

        config: Config = configuration(authority, fresh(self), ports, "held.example")
        proxy = SmartProxy(config, reactor, plane=plane)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        assert proxy.certificates is not None
        (status,) = await proxy.certificates.provisionAll()
        self.assertEqual(status.state, "valid", status.problem)
        tally = authority.tally()
        self.assertEqual((tally.orders, tally.invalid, tally.issued), (1, 0, 1))
        (seconds,) = held
        self.assertGreater(seconds, 0.9, "the last worker was waited for")
        client = Client(authority.root)
        for _ in range(10):
            self.assertEqual(await client.get(ports[1], "held.example"), b"this is held.example")
        await deferLater(reactor, 0)


class RootTests(ProcessCase):
    """
    Started as root, at a port that only root may bind.
    """

    def setUp(self) -> None:
        super().setUp()
        if os.getuid() != 0:
            raise SkipTest("needs root")
        self.http = lowPort()
        (self.directory / "proxy.yaml").write_text(
            f"bind: ['{HERE}']\n"
            "state_dir: ./state\n"
            "workers: 2\n"
            "access_log: {format: json, file: ./access.log}\n"
            "timeouts: {drain: 1}\n"
            "routes:\n"
            "  - name: hello\n"
            f"    match: {{ports: {self.http}}}\n"
            "    action: {type: respond, body: hello}\n"
        )
        os.chown(self.directory, NOBODY, NOBODY)
        # C{mktemp} makes it for its owner only.
        self.directory.parent.chmod(0o711)
        if why := self.obstacle():
            raise SkipTest(f"nobody may not run this: {why}")

    def obstacle(self) -> str:
        """
        What keeps nobody from this interpreter, these modules or this directory.
        """
        try:
            tried = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "import os, sys, smartproxy_tw.control.worker; os.listdir(sys.argv[1])",
                    str(self.directory),
                ],
                cwd=self.directory,
                env=environment(),
                user=NOBODY,
                group=NOBODY,
                extra_groups=(),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as why:
            return str(why)
        return tried.stderr if tried.returncode else ""

    def test_dropped(self) -> None:
        """
        Workers, and those that take their places, are nobody's, accept on the
        port, and write the access log.
        """
        words = ["-n", "--uid", str(NOBODY), "--gid", str(NOBODY), "smartproxy", "--config", "proxy.yaml"]
        with self.going([*TWISTD, *words]) as process:
            self.until(process, "Listening on")
            workers = workersOf(process.pid)
            self.assertEqual(len(workers), 2)
            for pid in workers:
                said = dict(
                    line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                )
                self.assertEqual(set(said["Uid"].split() + said["Gid"].split()), {str(NOBODY)})
                self.assertEqual(int(said["CapEff"], 16), 0)
            self.assertIn(b"hello", ask(self.http))
            os.kill(workers[0], signal.SIGKILL)
            os.kill(workers[1], signal.SIGKILL)
            self.until(process, "serves again")
            self.assertIn(b"hello", ask(self.http))
            process.terminate()
            self.until(process, "Server Shut Down")
            process.wait(PATIENCE)
        log = self.directory / "access.log"
        # A worker that is killed takes what it has not written yet with it.
        self.assertIn(len(log.read_text().splitlines()), (1, 2))
        self.assertEqual(log.stat().st_uid, NOBODY)


def lowPort() -> int:
    """
    A free port below 1024.
    """
    # By chance, so that tests that run side by side do not take the same one.
    for number in random.sample(range(600, 1024), 424):
        with socket.socket() as candidate:
            try:
                candidate.bind((HERE, number))
            except OSError:
                continue
            return number
    raise SkipTest("no port below 1024 is free")
