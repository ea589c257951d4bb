"""
Tests for L{smartproxy_tw.service.admin}: a whole proxy that can be spoken to.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from smartproxy_tw.commands.admin import Answer, ProxyAway, asking
from smartproxy_tw.config.model import TLS, AccessLog, Admin, Config, Internal, Respond, Route, Timeouts
from smartproxy_tw.service.listeners import listenBy
from smartproxy_tw.service.tree import SmartProxy

from ..ports import freePorts

reactor: Any = _reactor


class AdminTests(TestCase):
    """
    The socket in the life of a proxy.
    """

    timeout = 300

    def setUp(self) -> None:
        (self.port,) = freePorts(1)
        state = os.path.abspath(self.mktemp())
        self.socket = os.path.join(state, "admin.sock")
        self.config = Config(
            (
                Route(
                    "only",
                    (self.port,),
                    Respond(),
                    "http",
                    ("a.test",),
                    tls=TLS("terminate", Internal(("a.test",))),
                ),
            ),
            state,
            bind=("127.0.0.1",),
            accessLog=AccessLog("off"),
            timeouts=Timeouts(drain=1.0),
            admin=Admin(self.socket),
        )
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    async def begin(self, config: Config) -> SmartProxy:
        """
        A proxy that is ready.
        """
        bind = listenBy(reactor)
        proxy = SmartProxy(config, reactor, listen=lambda *port: deferLater(reactor, 0.02, bind, *port))
        self.addCleanup(proxy.stopService)
        proxy.startService()
        self.assertFalse(os.path.exists(self.socket), "not before everything is served")
        await proxy.whenReady()
        return proxy

    def ask(self, target: str) -> Deferred[Answer]:
        """
        Ask, as the command does.
        """
        return deferToThread(asking(self.socket), "GET", target, {})

    async def _life(self) -> None:
        proxy = await self.begin(self.config)
        for _ in range(2):
            answer = await self.ask("/v1")
            self.assertEqual(answer.members["process"], os.getpid())
            self.assertIn("GET /v1/certificates", answer.members["questions"])
            (told,) = (await self.ask("/v1/certificates")).members["certificates"]
            self.assertEqual((told["names"], told["state"]), (["a.test"], "valid"))
            await proxy.stopService()
            self.assertFalse(os.path.exists(self.socket))
            await self.assertFailure(self.ask("/v1"), ProxyAway)
            proxy.startService()
            await proxy.whenReady()

    def test_life(self) -> Deferred[None]:
        """
        It is there when everything is served, tells how it stands, is gone when the
        proxy is stopped, and there again when it is started again.
        """
        return Deferred.fromCoroutine(self._life())

    async def _replaced(self) -> None:
        proxy = await self.begin(self.config)
        await proxy.testator.rest()
        self.assertTrue((await self.ask("/v1/status")).members["ready"])
        proxy.testator.giveWay(4242)
        told = (await self.ask("/v1/status")).members
        self.assertEqual((told["ready"], told["reason"]), (False, "process 4242 serves in its place"))
        # It is there for whoever comes all the same.
        self.assertTrue(all(each["adopted"] for each in told["listening"]))
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            await proxy.testator.depart()
            await self.assertFailure(self.ask("/v1/status"), ProxyAway)
            self.socket = os.path.join(os.path.dirname(self.socket), f"admin-{os.getpid()}.sock")
            stopped = proxy.stopService()
            told = (await self.ask("/v1/status")).members
            self.assertEqual((told["ready"], told["reason"]), (False, "process 4242 serves in its place"))
            self.assertEqual((told["listening"], told["connections"]["open"]), ([], 1))
            client.close()
            await stopped
        self.assertFalse(os.path.exists(self.socket))

    def test_replaced(self) -> Deferred[None]:
        """
        When another process serves it says that it is not ready, before it accepts nobody any
        more; and then, under the number of its process, until the last connection has ended.
        """
        return Deferred.fromCoroutine(self._replaced())

    async def _goesOn(self) -> None:
        proxy = await self.begin(self.config)
        await proxy.testator.rest()
        proxy.testator.giveWay(4242)
        await proxy.testator.resume()
        self.assertTrue((await self.ask("/v1/status")).members["ready"])

    def test_goesOn(self) -> Deferred[None]:
        """
        When the next process is lost it is ready again.
        """
        return Deferred.fromCoroutine(self._goesOn())

    async def _off(self) -> None:
        await self.begin(replace(self.config, admin=None))
        self.assertFalse(os.path.exists(self.socket))

    def test_off(self) -> Deferred[None]:
        """
        Without it in the configuration there is none.
        """
        return Deferred.fromCoroutine(self._off())

    async def _refused(self) -> None:
        os.mkdir(self.config.stateDir, 0o700)
        with open(self.socket, "w") as file:
            file.write("something of somebody's")
        proxy = SmartProxy(self.config, reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        await proxy.whenReady()
        socket.create_connection(("127.0.0.1", self.port)).close()
        (told,) = [each for each in self.logged if each.get("event") == "admin-refused"]
        self.assertIn("something else", told["why"])
        self.assertEqual(told["log_level"].name, "error")
        await proxy.stopService()
        with open(self.socket) as file:
            self.assertEqual(file.read(), "something of somebody's")

    def test_refused(self) -> Deferred[None]:
        """
        A socket that cannot be made is an error in the log, and the proxy serves.
        """
        return Deferred.fromCoroutine(self._refused())

    async def _stoppedWhileSpoken(self) -> None:
        proxy = await self.begin(self.config)
        descriptor = os.open(self.config.stateDir, os.O_PATH)
        self.addCleanup(os.close, descriptor)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for each in clients:
            self.addCleanup(each.close)
            each.settimeout(60)
            each.connect(f"/proc/self/fd/{descriptor}/admin.sock")
        clients[0].sendall(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await deferToThread(clients[0].recv, 65536)
        self.assertEqual(json.loads(answer.partition(b"\r\n\r\n")[2])["process"], os.getpid())
        await proxy.stopService()
        self.assertEqual(await deferToThread(clients[1].recv, 1), b"")

    def test_stoppedWhileSpoken(self) -> Deferred[None]:
        """
        Whoever is connected does not keep the proxy from stopping.
        """
        return Deferred.fromCoroutine(self._stoppedWhileSpoken())
