"""
Tests for L{smartproxy_tw.service.tree}: the service as an embedder has it, with
real ports and the real data path.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Action,
    Balance,
    Check,
    Config,
    Forward,
    Health,
    Internal,
    Respond,
    Route,
    Sticky,
    Target,
    Timeouts,
)
from smartproxy_tw.service.errors import ChangeRefused, ListenError, StartError
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.testing.fakes import FakeListen, FakePlane, Story

reactor: Any = _reactor
HERE = "127.0.0.1"


def freePort() -> int:
    """
    A port that nobody listens on just now.
    """
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        number: int = probe.getsockname()[1]
        return number


def ask(port: int) -> bytes:
    """
    One request on a connection of its own, in a thread.
    """
    with socket.create_connection((HERE, port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def _stop(proxy: SmartProxy) -> Deferred[None]:
    return proxy.stopService()


class SlowOrigin(Protocol):
    """
    Takes a request and answers when it is told to.
    """

    def dataReceived(self, data: bytes) -> None:
        self.factory.asked.callback(self)  # type: ignore[union-attr]

    def answer(self) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")  # type: ignore[union-attr]


class EmbeddedTests(TestCase):
    """
    A proxy in somebody's own tree of services.
    """

    def setUp(self) -> None:
        self.port = freePort()
        self.state = os.path.abspath(self.mktemp())

    def config(self, action: Action, *, tls: TLS | None = None, drain: float = 5.0) -> Config:
        """
        One route.
        """
        return Config(
            routes=(Route("only", (self.port,), action, "http", tls=tls),),
            stateDir=self.state,
            bind=(HERE,),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=drain),
        )

    def proxy(self, config: Config) -> SmartProxy:
        """
        A proxy that is stopped after the test.
        """
        proxy = SmartProxy(config, reactor)
        self.addCleanup(_stop, proxy)
        return proxy

    async def _served(self) -> None:
        before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        parent = MultiService()
        proxy = self.proxy(self.config(Respond(body="hello")))
        proxy.setServiceParent(parent)
        child = Service()
        child.setServiceParent(proxy)
        parent.startService()
        await proxy.whenReady()
        self.assertIn(b"\r\n\r\nhello", await deferToThread(ask, self.port))
        self.assertTrue(child.running)
        self.assertEqual({each: signal.getsignal(each) for each in before}, before)
        await parent.stopService()
        self.assertFalse(child.running)
        socket.create_server((HERE, self.port)).close()

    def test_served(self) -> Deferred[None]:
        """
        It lives in a tree of services, serves when it is ready, takes along
        services of its own, touches no signal, and frees its port at the end.
        """
        return Deferred.fromCoroutine(self._served())

    async def _targets(self) -> None:
        story = Story()
        plane = FakePlane(story)
        refusing = Forward(
            (Target(HERE, freePort()),), balance=Balance(sticky=Sticky()), health=Health(Check(interval=0.1))
        )
        listen: Any = FakeListen(story)
        proxy = SmartProxy(self.config(refusing), reactor, plane=lambda: plane, listen=listen)
        self.addCleanup(_stop, proxy)
        proxy.startService()
        await proxy.whenReady()
        self.assertLess(story.position("signs with 32 bytes"), story.position("routed"))
        verdict = f"{refusing.targets[0]} is unhealthy: Connection refused"
        for _ in range(200):
            if verdict in story.lines:
                break
            await deferLater(reactor, 0.02)
        story.lines.clear()
        await proxy.reconfigure(self.config(Respond(body="other")))
        # What nobody looks at any more is not unhealthy for ever.
        self.assertEqual(
            [line for line in story.lines if line == "routed" or "healthy" in line],
            ["routed", f"{refusing.targets[0]} is healthy"],
        )
        own = Forward(refusing.targets, balance=Balance(sticky=Sticky(secret="0123456789abcdef")))
        story.lines.clear()
        await proxy.reconfigure(self.config(own))
        self.assertNotIn("signs with 32 bytes", story.lines)
        await proxy.reconfigure(self.config(refusing))
        self.assertIn("signs with 32 bytes", story.lines)

    def test_targets(self) -> Deferred[None]:
        """
        The data path has the secret of cookies before any route that needs it; targets are
        looked at, and what is found is told, as long as a route has it so.
        """
        return Deferred.fromCoroutine(self._targets())

    async def _resting(self) -> None:
        proxy = self.proxy(self.config(Respond(body="hello")))
        proxy.startService()
        await proxy.whenReady()
        before = proxy.certificates
        (pair,) = proxy.testator.estate().sockets
        self.assertEqual(pair[0].getsockname()[1], self.port)
        await proxy.testator.rest()
        with self.assertRaises(ChangeRefused) as refused:
            await proxy.reconfigure(self.config(Respond(body="other")))
        self.assertIn("Another process is about to take over", str(refused.exception))
        self.assertIn(b"\r\n\r\nhello", await deferToThread(ask, self.port))
        await proxy.testator.resume()
        self.assertIsNot(proxy.certificates, before)
        await proxy.reconfigure(self.config(Respond(body="other")))
        self.assertIn(b"\r\n\r\nother", await deferToThread(ask, self.port))

    def test_resting(self) -> Deferred[None]:
        """
        While another process is to take over everything is served and nothing is
        changed; if that comes to nothing it goes on.
        """
        return Deferred.fromCoroutine(self._resting())

    async def _departed(self, isWhole: bool) -> None:
        proxy = self.proxy(self.config(Respond(body="hello")))
        proxy.startService()
        await proxy.whenReady()
        ((sock, isManaged),) = proxy.testator.estate().sockets
        self.assertFalse(isManaged)
        with sock.dup() as other:
            if isWhole:
                await proxy.testator.rest()
                await proxy.testator.depart()
            else:
                await proxy.stopService()
            other.settimeout(60)
            client = socket.create_connection((HERE, self.port), timeout=60)
            # It was closed here, and goes on listening for whoever has it too.
            other.accept()[0].close()
            client.close()
        await proxy.stopService()

    def test_departed(self) -> Deferred[None]:
        """
        Ports that another process has too are not shut down.
        """
        return Deferred.fromCoroutine(self._departed(True))

    def test_stoppedMeanwhile(self) -> Deferred[None]:
        """
        Nor are they when a stop comes before this process has departed.
        """
        return Deferred.fromCoroutine(self._departed(False))

    async def _inFlight(self) -> None:
        factory = Factory()
        factory.protocol = SlowOrigin
        factory.asked = Deferred()  # type: ignore[attr-defined]
        origin = reactor.listenTCP(0, factory, interface=HERE)
        self.addCleanup(origin.stopListening)
        proxy = self.proxy(self.config(Forward((Target(HERE, origin.getHost().port),))))
        proxy.startService()
        await proxy.whenReady()
        answered = deferToThread(ask, self.port)
        waiting: SlowOrigin = await factory.asked  # type: ignore[attr-defined]
        stopped = proxy.stopService()
        self.assertFalse(stopped.called)
        reactor.callLater(0.1, waiting.answer)
        answer = await answered
        self.assertTrue(answer.endswith(b"\r\n\r\nlate"), answer)
        await stopped
        self.assertRaises(OSError, socket.create_connection, (HERE, self.port), 1)

    def test_requestInFlight(self) -> Deferred[None]:
        """
        A request that is under way when it is stopped gets its answer, and
        only then it is stopped.
        """
        return Deferred.fromCoroutine(self._inFlight())

    async def _cut(self) -> None:
        factory = Factory()
        factory.protocol = SlowOrigin
        factory.asked = Deferred()  # type: ignore[attr-defined]
        origin = reactor.listenTCP(0, factory, interface=HERE)
        self.addCleanup(origin.stopListening)
        config = self.config(Forward((Target(HERE, origin.getHost().port),)), drain=0.2)
        proxy = self.proxy(config)
        proxy.startService()
        await proxy.whenReady()
        answered = deferToThread(ask, self.port)
        waiting: SlowOrigin = await factory.asked  # type: ignore[attr-defined]
        await proxy.stopService()
        answered.addErrback(lambda failure: failure.trap(OSError) and b"")
        self.assertNotIn(b"late", await answered)
        waiting.transport.abortConnection()  # type: ignore[union-attr]

    def test_requestThatTakesTooLong(self) -> Deferred[None]:
        """
        One that takes longer than the drain is cut, and the stop goes on.
        """
        return Deferred.fromCoroutine(self._cut())

    async def _again(self) -> None:
        proxy = self.proxy(self.config(Respond(body="hello"), tls=TLS("terminate", Internal(("a.test",)))))
        for _ in range(3):
            proxy.startService()
            await proxy.whenReady()
            (status,) = proxy.status()
            self.assertEqual(status.state, "valid")
            await proxy.stopService()

    def test_startedAgain(self) -> Deferred[None]:
        """
        It can be stopped and started, each time with ports, a data path and a
        lock of its own.
        """
        return Deferred.fromCoroutine(self._again())

    async def _triedAgain(self) -> None:
        proxy = self.proxy(self.config(Respond(body="hello")))
        with socket.create_server((HERE, self.port)):
            ready = proxy.whenReady()
            self.assertRaises(ListenError, proxy.startService)
            await self.assertFailure(ready, ListenError)
        proxy.startService()
        await proxy.whenReady()
        self.assertIn(b"hello", await deferToThread(ask, self.port))

    def test_triedAgain(self) -> Deferred[None]:
        """
        After a start that failed it can be tried again.
        """
        return Deferred.fromCoroutine(self._triedAgain())

    def test_takenPort(self) -> None:
        """
        Joining a tree that runs already, a port that is taken raises one
        exception, never SystemExit, and the tree goes on.
        """
        parent = MultiService()
        parent.startService()
        self.addCleanup(parent.stopService)
        with socket.create_server((HERE, self.port)):
            proxy = self.proxy(self.config(Respond()))
            self.assertRaises(ListenError, proxy.setServiceParent, parent)
        self.assertTrue(parent.running)
        self.assertFalse(os.path.exists(self.state))

    async def _unsafe(self) -> None:
        os.mkdir(self.state)
        os.chmod(self.state, 0o777)
        proxy = self.proxy(self.config(Respond()))
        proxy.startService()
        self.assertIsInstance(proxy.error, StartError)
        why = await self.assertFailure(proxy.whenReady(), StartError)
        self.assertIn("chmod 700", str(why))
        socket.create_server((HERE, self.port)).close()

    def test_unsafeState(self) -> Deferred[None]:
        """
        A state directory that others may write ends the start before anybody
        is accepted; the ports are free again when that is told.
        """
        return Deferred.fromCoroutine(self._unsafe())
