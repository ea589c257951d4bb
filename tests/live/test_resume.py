"""
Whole processes that are killed with SIGKILL in the midst of an order, and started
again: what the authority counts in the end is one order and one account.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from smartproxy_tw.store.naming import authorityName
from smartproxy_tw.testing.authority import Authority
from smartproxy_tw.testing.faults import Reply, whatIs
from smartproxy_tw.testing.signed import Refused
from smartproxy_tw.testing.validation import Validator

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import PATIENCE
from .test_process import HERE, TWISTD
from .test_promise import Client, fresh, story

reactor: Any = _reactor

#: What is asked of an authority for one certificate, in this order.
STEPS = ("account", "order", "authorization", "challenge", "finalize", "certificate")


class Process(ProcessProtocol):
    """
    C{twistd -n smartproxy}, with one line of output after the other.
    """

    def __init__(self, directory: Path) -> None:
        self.said = ""
        self.ended: Deferred[None] = Deferred()
        command = [*TWISTD, "-n", "smartproxy", "--config", "smartproxy.json"]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        reactor.spawnProcess(self, sys.executable, command, env=environment, path=str(directory))

    def outReceived(self, data: bytes) -> None:
        self.said += data.decode("utf-8", "replace")

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)

    def kill(self) -> None:
        """
        Without a word, now.
        """
        if not self.ended.called:
            self.transport.signalProcess("KILL")

    async def end(self, signal: str = "KILL") -> None:
        if not self.ended.called:
            self.transport.signalProcess(signal)
            await self.ended

    async def until(self, isSo: Callable[[], object]) -> None:
        """
        Wait for something; its end is the end of the test.
        """
        giveUp = reactor.seconds() + PATIENCE
        while not isSo():
            if self.ended.called or reactor.seconds() > giveUp:
                raise AssertionError(f"It did not come to that:\n{self.said}")
            await deferLater(reactor, 0.005)


class ResumeCase(TestCase):
    """
    A proxy in a process of its own.
    """

    timeout = 900

    def prepare(self, authority: Any, name: str, **settings: Any) -> None:
        """
        A directory with a configuration and no state.

        @param authority: Whom to ask.
        @param name: What the certificate is for.
        @param settings: Further ones of the configuration.
        """
        self.name = name
        self.directory = Path(fresh(self))
        self.directory.mkdir()
        (self.directory / "root.pem").write_bytes(Path(authority.caFile).read_bytes())
        acme = {
            "directory": authority.directoryURL,
            "ca_file": "root.pem",
            "http_port": self.ports[0],
            "tls_port": self.ports[1],
            **settings.pop("acme", {}),
        }
        self.orders = self.directory / "state" / "orders" / authorityName(authority.directoryURL)
        configuration = {
            "bind": HERE,
            "state_dir": "state",
            "timeouts": {"drain": 1},
            "acme": acme,
            "sites": {name: 1},
            **settings,
        }
        (self.directory / "smartproxy.json").write_text(json.dumps(configuration))

    def begin(self) -> Process:
        """
        Start the proxy.
        """
        process = Process(self.directory)
        self.addCleanup(lambda: Deferred.fromCoroutine(process.end()))
        return process

    def notes(self) -> dict[str, Any]:
        """
        The only entry of the journal; empty when there is none.
        """
        for each in self.orders.glob("*.json"):
            try:
                return json.loads(each.read_text())
            except FileNotFoundError:
                # Its order ended between the two.
                continue
        return {}

    async def serves(self, process: Process, root: bytes) -> None:
        """
        It has the certificate, shows it, notes nothing any more, and ends well.
        """
        await process.until(lambda: f"Serving a certificate for {self.name}" in process.said)
        (await Client(root).connect(self.ports[1], self.name)).close()
        await process.until(lambda: not self.notes())
        await process.end("TERM")
        self.assertNotIn("Traceback", process.said)


class CountedTests(ResumeCase):
    """
    With our authority, which counts.
    """

    async def opens(self, **settings: Any) -> None:
        """
        Given an authority.
        """
        self.ports = freePorts(2)
        self.authority: Any = Authority(reactor, httpPort=self.ports[0], tlsPort=self.ports[1], **settings)
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        self.authority.caFile = os.path.abspath(self.mktemp())
        Path(self.authority.caFile).write_bytes(self.authority.root)
        self.pass_ = self.authority.faults.pass_

    def arm(self, process: Process, step: str, *, isDone: bool) -> None:
        """
        Kill a process when it asks for a step.

        @param isDone: Whether the authority does what it was asked for.
        """

        def pass_(path: str, answer: Callable[[], Reply]) -> Reply:
            if whatIs(path) != step:
                return self.pass_(path, answer)
            process.kill()
            self.authority.faults.pass_ = self.pass_
            return self.pass_(path, answer) if isDone else Reply(503, None)

        self.authority.faults.pass_ = pass_

    def counted(self) -> tuple[int, int, int, int]:
        """
        What the authority counted: accounts, orders, looks in vain, certificates.
        """
        known = self.authority
        return known.accounts, known.orders, known.invalid, known.issued

    async def atEach(self, *, isDone: bool) -> None:
        await self.opens()
        for step in STEPS:
            before = self.counted()
            self.prepare(self.authority, f"{step}.example")
            first = self.begin()
            self.arm(first, step, isDone=isDone)
            await first.ended
            await self.serves(self.begin(), self.authority.root)
            accounts, orders, invalid, issued = (
                now - then for now, then in zip(self.counted(), before, strict=True)
            )
            # It is told to come by the process that is dead when it does.
            mayBeInVain = isDone and step == "challenge"
            self.assertIn(invalid, (0, 1) if mayBeInVain else (0,), step)
            self.assertEqual((accounts, orders, issued), (1, 1 + invalid, 1), step)

    @story
    async def test_beforeEachStep(self) -> None:
        """
        Killed by what it asks for, at each step, before the authority does it:
        one account, one order, one certificate.
        """
        await self.atEach(isDone=False)

    @story
    async def test_afterEachStep(self) -> None:
        """
        Likewise when the authority did it and nobody heard; where it came while
        nobody was there, one more order.
        """
        await self.atEach(isDone=True)

    async def firstConnection(self, kind: str, workers: int) -> None:
        """
        The authority is away when the process starts again, so that nothing is
        known but what is in the journal; its looks are the first connections.
        """
        # It is away before it looks, however late it learns of the end, and looks at once when it is back.
        await self.opens(validationDelay=300)
        self.prepare(self.authority, "first.example", workers=workers, acme={"challenges": [kind]})
        first = self.begin()
        self.arm(first, "challenge", isDone=True)
        await first.ended
        await self.authority.stop()
        (noted,) = self.notes()["answers"]
        self.assertEqual(noted["kind"], kind)
        second = self.begin()
        validator = Validator(
            reactor,
            httpPort=self.ports[0],
            tlsPort=self.ports[1],
            resolve=lambda name: HERE,
            timeout=PATIENCE,
        )

        async def look() -> None:
            while True:
                try:
                    await validator.look(kind, noted["name"], noted["token"], noted["key_authorization"])
                    return
                except Refused as why:
                    if "Connection was refused" not in why.detail:
                        raise
                await deferLater(reactor, 0.005)

        looks = [Deferred.fromCoroutine(look()) for _ in range(8)]
        for each in looks:
            await each
        self.assertNotIn("Serving a certificate", second.said)
        await self.authority.start()
        await self.serves(second, self.authority.root)
        self.assertIn("Taking up the order", second.said)
        self.assertEqual(self.counted(), (1, 1, 0, 1))

    @story
    async def test_firstConnection(self) -> None:
        """
        The first connection that is accepted after a restart is answered with
        what the authority was told to come for, before it can be asked anything.
        """
        await self.firstConnection("http-01", 1)

    @story
    async def test_firstHandshake(self) -> None:
        """
        Likewise the first handshake.
        """
        await self.firstConnection("tls-alpn-01", 1)

    @story
    async def test_firstConnectionOfWorkers(self) -> None:
        """
        Likewise with workers, whichever of them accepts.
        """
        await self.firstConnection("http-01", 2)

    @story
    async def test_againAndAgain(self) -> None:
        """
        Killed at each step of one and the same order, one process after the
        other: there is one order.
        """
        await self.opens(validationDelay=6.0)
        self.prepare(self.authority, "again.example")
        for step in STEPS:
            process = self.begin()
            self.arm(process, step, isDone=True)
            await process.until(lambda process=process: process.ended.called or "Traceback" in process.said)
            self.assertNotIn("Traceback", process.said)
        await self.serves(self.begin(), self.authority.root)
        accounts, orders, invalid, issued = self.counted()
        self.assertEqual((accounts, orders, issued), (1, 1 + invalid, 1))
        self.assertLessEqual(invalid, 1)


class PebbleTests(ResumeCase):
    """
    With Pebble, which takes its time.
    """

    skip = missing

    async def killed(self, name: str, isSo: Callable[[Pebble], object], workers: int = 1) -> None:
        """
        Kill a process when something is seen, and start it again.
        """
        for _ in range(10):
            self.ports = freePorts(2)
            authority = Pebble(
                reactor,
                self.mktemp(),
                httpPort=self.ports[0],
                tlsPort=self.ports[1],
                sleep=True,
                environment={"PEBBLE_VA_SLEEPTIME": "4"},
            )
            self.addCleanup(authority.stop)
            await authority.start()
            self.prepare(authority, name, workers=workers)
            first = self.begin()
            await first.until(lambda authority=authority: isSo(authority))
            await first.end()
            if self.notes():
                break
            # Pebble was quick, and the order had ended before we had the processor to kill anybody.
            await authority.stop()
        else:
            self.fail("nobody was killed in time")
        await self.serves(self.begin(), authority.root)
        tally = authority.tally()
        self.assertLessEqual(tally.invalid, 1)
        self.assertEqual((tally.accounts, tally.orders, tally.issued), (1, 1 + tally.invalid, 1))

    @story
    async def test_placed(self) -> None:
        """
        Killed when the order is placed.
        """
        await self.killed("placed.example", lambda _: self.notes().get("order"))

    @story
    async def test_answering(self) -> None:
        """
        Killed when the answers are ready, and Pebble may be on its way.
        """
        await self.killed("answering.example", lambda _: self.notes().get("answers"))

    @story
    async def test_answeringWorkers(self) -> None:
        """
        Likewise with workers.
        """
        await self.killed("workers.example", lambda _: self.notes().get("answers"), 2)

    @story
    async def test_finalized(self) -> None:
        """
        Killed when the certificate is asked for.
        """
        await self.killed("finalized.example", lambda authority: "/finalize-order/" in authority.log)
